"""What a fit gives back, in plain values and as a model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fallline.fitting.folder import FitFolder
from fallline.plain import finite
from fallline.study import Record, Study
from fallline.training import Curve, Outcome


@dataclass(frozen=True)
class FitResult:
    """One training that has ended.

    `model` is in evaluation mode, with the best weights where `patience` was given, else with the last. `confusion` is
    an integer matrix (true class, predicted class) on the data of `confusion_on`, for classification alone.
    """

    study: Study = field(repr=False)
    record: Record = field(repr=False)
    model: nn.Module
    confusion: Tensor | None
    confusion_on: str | None
    folder: Path

    @property
    def curve(self) -> Curve:
        """What was recorded at each evaluation."""
        return self.record.curve

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return self.record.outcome

    @property
    def metrics(self) -> Mapping[str, Mapping[str, float]]:
        """Loss and metrics of the model by split: `metrics["test"]["accuracy"]`; the worst value where it diverged."""
        problem = self.study.problems[self.record["problem"]]
        return {
            split: {name: self.record.final(f"{split}_{name}") for name in problem.objective.names}
            for split in problem.evaluated
        }

    @property
    def setting(self) -> dict[str, Any]:
        """The hyperparameters that were given a value, and the learning rate."""
        given = {"lr", *self.study.specification.optimizers[0].hyperparameters}
        return {name: value for name, value in self.record["hyperparameters"].items() if name in given}

    @property
    def kept(self) -> Path | None:
        """The file with the weights: the model's, of a diverged training the best before; None where there are none."""
        files = FitFolder(self.folder)
        path = files.best if self.outcome.diverged else files.weights
        return path if path.is_file() else None

    @property
    def best_step(self) -> int | None:
        """The step of the weights in `best.safetensors`: least validation loss, or training loss where nothing is held
        out; None where no loss was finite.
        """
        losses = self.curve[self.curve.deciding]
        sound = losses[:-1] if self.outcome.diverged else losses
        return min(
            (int(step) for step, loss in zip(self.curve["step"], sound, strict=False) if math.isfinite(loss)),
            key=lambda step: losses[self.curve["step"].index(step)],
            default=None,
        )

    def to_json(self) -> dict[str, Any]:
        """The document that `--json` prints; non-finite numbers are None."""
        member = self.record.to_json()
        names = ("problem", "optimizer", "hyperparameters", "factors", "schedule", "batch_size")
        outcome = ("outcome", "outcome_step", "outcome_cause", "restored_step", "seconds")
        origin = ("weights_digest", "order_digest")
        document: dict[str, Any] = finite(
            {
                **{name: member[name] for name in names},
                "seed": self.study.specification.seed,
                **{name: member[name] for name in (*outcome, *origin, "final", "curves")},
                "confusion": None if self.confusion is None else self.confusion.tolist(),
                "confusion_on": self.confusion_on,
                "folder": str(self.folder),
            }
        )
        return document

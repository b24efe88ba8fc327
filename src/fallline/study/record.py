"""A record: one member as it ended, in plain values that can be stored and printed."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from fallline.plain import canonical
from fallline.study.direction import less_is_better
from fallline.training import Curve, Member, Origin, Outcome, Trained
from fallline.training.curve import COUNTS


@dataclass(frozen=True)
class Record:
    """What a member was (`description`), how it ended, what it recorded, and what it began with (None in a store of
    before that was kept).
    """

    description: Mapping[str, Any]
    outcome: Outcome
    curve: Curve
    seconds: float
    origin: Origin | None = None

    @classmethod
    def of(cls, trained: Trained) -> "Record":
        """The record of a training that has ended."""
        return cls(
            json.loads(canonical(describe(trained.member))),
            trained.outcome,
            trained.curve,
            trained.seconds,
            trained.origin,
        )

    def __getitem__(self, name: str) -> Any:
        return self.description[name]

    @cached_property
    def key(self) -> str:
        """The digest of the description: the member's name in the store."""
        return key(self.description)

    @property
    def diverged(self) -> bool:
        """Whether the member diverged."""
        return self.outcome.diverged

    def final(self, quantity: str) -> float:
        """The last value of a quantity; for a diverged member, and where it is NaN, the worst there is."""
        if quantity not in self.curve:
            return math.nan
        value = self.curve[quantity][self.evaluation]
        if self.diverged or math.isnan(value):
            return math.inf if less_is_better(quantity) else -math.inf
        return value

    @property
    def evaluation(self) -> int:
        """The place in the curve of the evaluation of the final weights: the last, or with early stopping the best."""
        restored = self.outcome.restored
        return -1 if restored is None else self.curve["step"].index(restored)

    def to_json(self) -> dict[str, Any]:
        """The member as `--json` prints it."""
        measured = [name for name in self.curve.columns if name not in COUNTS]
        return {
            **self.description,
            "outcome": str(self.outcome.ending),
            "outcome_step": self.outcome.step,
            "outcome_cause": self.outcome.cause,
            "restored_step": self.outcome.restored,
            "seconds": self.seconds,
            "weights_digest": None if self.origin is None else self.origin.weights,
            "order_digest": None if self.origin is None else self.origin.order,
            "final": {name: self.final(name) for name in measured},
            "curves": dict(self.curve.columns),
            "losses": {"step": list(self.curve.losses), "loss": list(self.curve.losses.values())},
        }


def describe(member: Member) -> dict[str, Any]:
    """A member in plain values."""
    return {
        "problem": member.problem,
        "optimizer": member.optimizer,
        "hyperparameters": dict(member.hyperparameters),
        "factors": dict(member.factors),
        "schedule": str(member.schedule),
        "batch_size": member.batch_size,
        "order": member.order,
        "seed": member.seed,
        "phase": member.phase,
    }


def key(description: Mapping[str, Any]) -> str:
    """The digest of a description."""
    return blake2b(canonical(dict(description)).encode(), digest_size=12).hexdigest()

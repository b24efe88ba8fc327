"""A rule against torch.optim on the same weights and batches: how far the losses of their steps part."""

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import fallline as fl
from fallline.gallery.entry import Check, below, holds

if TYPE_CHECKING:
    from fallline.study import Record

FIRST_STEPS = 100


def against_torch(results: "fl.Results", steps_per_epoch: int, on_all_rows: bool = False) -> tuple[Check, Check]:
    """Checks of a study of the rule and torch's optimizer: loss over the first 100 steps, epoch means."""
    ours, theirs = (o.label for o in results.specification.optimizers)
    return beside_torch(
        [
            (run, next(r for r in results.records if (r["optimizer"], r["seed"]) == (theirs, run["seed"])))
            for run in results.records
            if run["optimizer"] == ours
        ],
        steps_per_epoch,
        on_all_rows,
    )


def beside_torch(
    pairs: "Sequence[tuple[Record, Record]]", steps_per_epoch: int, on_all_rows: bool = False
) -> tuple[Check, Check]:
    """The same of pairs of trainings by the rule and by torch's optimizer, as far as both were trained.

    Every step's loss must have been kept (`losses_every=1`). With `on_all_rows` the first steps are compared by the
    training loss of the evaluations among them.
    """
    theirs = pairs[0][1]["optimizer"]
    losses, of = (
        (_evaluated, "training loss on all rows over") if on_all_rows else (_first_losses, "the loss of each of")
    )
    first = [_relative(*map(losses, pair)) for pair in pairs]
    both = [[epoch_means(record, steps_per_epoch) for record in pair] for pair in pairs]
    means = [max(abs(a - b) / abs(b) for a, b in zip(*of, strict=False)) for of in both]
    epochs = min(len(of) for of in both[0])
    return (
        below(
            f"relative difference from {theirs} in {of} the first {FIRST_STEPS} steps",
            max(first),
            1e-4,
        ),
        below(f"relative difference from {theirs} in the mean batch loss of {_epochs(epochs)}", max(means), 0.01),
    )


def epoch_means(record: "Record", steps_per_epoch: int) -> list[float]:
    """The mean batch loss of every epoch that a member of a study was trained."""
    return list(in_means(record, steps_per_epoch).values())


def in_means(record: "Record", steps: int) -> dict[int, float]:
    """The mean loss of every so many steps in turn, by the last of them; every step's loss must have been kept."""
    losses = list(record.curve.losses.values())
    return {end: fmean(losses[end - steps : end]) for end in range(steps, len(losses) + 1, steps)}


def _epochs(count: int) -> str:
    return "the first epoch" if count == 1 else f"each of {count} epochs"


def keeps(record: "Record", every: int, steps: int) -> Check:
    """That the loss is there at every so many-th step of a training."""
    kept = list(in_means(record, every))
    return holds(
        "the loss is kept",
        f"every {every} steps",
        f"every {kept[1] - kept[0]} steps",
        kept == list(range(every, steps + 1, every)) and list(record.curve.losses) == list(range(1, steps + 1)),
    )


def _first_losses(record: "Record") -> list[float]:
    return list(record.curve.losses.values())[:FIRST_STEPS]


def _evaluated(record: "Record") -> list[float]:
    steps, losses = record.curve["step"], record.curve["train_loss"]
    return [loss for step, loss in zip(steps, losses, strict=True) if step <= FIRST_STEPS]


def _relative(ours: list[float], theirs: list[float]) -> float:
    """The largest difference, relative to torch's largest loss."""
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) / max(map(abs, theirs))

"""A rule against torch.optim on the same weights and batches: how far their curves part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import fallline as fl
from fallline.gallery.entry import Check, below

if TYPE_CHECKING:
    from fallline.study import Record

FIRST_STEPS = 100


def against_torch(results: "fl.Results", steps_per_epoch: int) -> tuple[Check, Check]:
    """Checks of a study of the rule and torch's optimizer: loss over the first 100 steps, epoch means."""
    ours, theirs = (o.label for o in results.specification.optimizers)
    return beside_torch(
        [
            (run, next(r for r in results.records if (r["optimizer"], r["seed"]) == (theirs, run["seed"])))
            for run in results.records
            if run["optimizer"] == ours
        ],
        steps_per_epoch,
    )


def beside_torch(pairs: "Sequence[tuple[Record, Record]]", steps_per_epoch: int) -> tuple[Check, Check]:
    """The same of pairs of trainings by the rule and by torch's optimizer, as far as both were trained."""
    theirs = pairs[0][1]["optimizer"]
    first = [_relative(*map(_first_losses, pair)) for pair in pairs]
    means = [
        max(abs(a - b) / abs(b) for a, b in zip(*both, strict=False))
        for both in ([epoch_means(record, steps_per_epoch) for record in pair] for pair in pairs)
    ]
    return (
        below(
            f"relative difference from {theirs} in training loss over the first {FIRST_STEPS} steps",
            max(first),
            1e-4,
        ),
        below(f"relative difference from {theirs} in the mean batch loss of every epoch", max(means), 0.01),
    )


def epoch_means(record: "Record", steps_per_epoch: int) -> list[float]:
    """The mean batch loss of every epoch that a member of a study was trained."""
    steps, losses = record.curve["step"], record.curve["batch_loss"]
    sums: dict[int, float] = {}
    for before, step, loss in zip(steps, steps[1:], losses[1:], strict=False):
        epoch = int(before) // steps_per_epoch
        sums[epoch] = sums.get(epoch, 0.0) + (step - before) * loss
    return [total / steps_per_epoch for total in sums.values()]


def _first_losses(record: "Record") -> dict[float, float]:
    steps, losses = record.curve["step"], record.curve["train_loss"]
    return {step: loss for step, loss in zip(steps, losses, strict=True) if step <= FIRST_STEPS}


def _relative(ours: dict[float, float], theirs: dict[float, float]) -> float:
    """The largest difference where both were evaluated, relative to torch's largest loss."""
    both = ours.keys() & theirs.keys()
    return max(abs(ours[step] - theirs[step]) for step in both) / max(map(abs, theirs.values()))

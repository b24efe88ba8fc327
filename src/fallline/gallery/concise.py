"""A rule against torch.optim on the same weights and batches: how far their curves part."""

from collections.abc import Sequence

import fallline as fl
from fallline.gallery.entry import Check, below

FIRST_STEPS = 100


def against_torch(results: "fl.Results", steps_per_epoch: int) -> tuple[Check, Check]:
    """Checks of a study of the rule and torch's optimizer: loss over the first 100 steps, epoch means."""
    ours, theirs = (o.label for o in results.specification.optimizers)
    pairs = [
        (run, next(r for r in results.records if (r["optimizer"], r["seed"]) == (theirs, run["seed"])))
        for run in results.records
        if run["optimizer"] == ours
    ]
    first = [
        _relative(*(_first_losses(record.curve["step"], record.curve["train_loss"]) for record in pair))
        for pair in pairs
    ]
    means = [
        max(abs(a - b) / abs(b) for a, b in zip(*both, strict=True))
        for both in (
            [_epoch_means(r.curve["step"], r.curve["batch_loss"], steps_per_epoch) for r in pair] for pair in pairs
        )
    ]
    return (
        below(
            f"relative difference from {theirs} in training loss over the first {FIRST_STEPS} steps",
            max(first),
            1e-4,
        ),
        below(f"relative difference from {theirs} in the mean batch loss of every epoch", max(means), 0.01),
    )


def _first_losses(steps: Sequence[float], losses: Sequence[float]) -> list[float]:
    return [loss for step, loss in zip(steps, losses, strict=True) if step <= FIRST_STEPS]


def _relative(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) / max(map(abs, theirs))


def _epoch_means(steps: Sequence[float], losses: Sequence[float], steps_per_epoch: int) -> list[float]:
    sums: dict[int, float] = {}
    for before, step, loss in zip(steps, steps[1:], losses[1:], strict=False):
        epoch = int(before) // steps_per_epoch
        sums[epoch] = sums.get(epoch, 0.0) + (step - before) * loss
    return [total / steps_per_epoch for total in sums.values()]

"""The search for a learning rate: a ramp finds the window, a fan of short trainings chooses in it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from fallline.arguments import whole
from fallline.errors import InputError, shown
from fallline.plain import finite
from fallline.problems.objective import rows
from fallline.training.fan import Fan, Trial, fan
from fallline.training.ramp import Ramp, ramp
from fallline.training.repeatable import RepeatableTraining

RAMP_STEPS = 100
PER_DECADE = 2
TRAINING_ROWS, COMPARED_ROWS = 64, 16
"""The least data that a suggestion can rest on."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class FoundRate:
    """What a search found: a suggested learning rate, or None, and the reason in words; the ramp, and the trials of the
    fan by rate. `compared_on` says which rows the trials' losses are of, `start` is that loss before any update.
    """

    problem: str
    optimizer: str
    suggestion: float | None
    reason: str
    ramp: Ramp
    fan: tuple[Trial, ...] = ()
    steps: int = 0
    start: float = math.nan
    compared_on: str = "validation"

    def to_json(self) -> dict[str, Any]:
        """Plain values, None for those that are not finite."""
        document = {
            "problem": self.problem,
            "optimizer": self.optimizer,
            "suggestion": self.suggestion,
            "reason": self.reason,
            "ramp": {"lr": self.ramp.lr, "loss": self.ramp.loss, "smoothed": self.ramp.smoothed},
            "fan": [{"lr": trial.lr, "loss": trial.loss, "diverged": trial.diverged} for trial in self.fan],
        }
        return finite(document)  # type: ignore[no-any-return]


def search_rate(training: RepeatableTraining, low: float, high: float, steps: int, say: Say | None = None) -> FoundRate:
    """Search from low to high, with short trainings of `steps` updates; everything is put back at the end.

    `say` is told in words how it gets on. `check_search` tells beforehand whether range and steps can be.
    """
    told = say or (lambda _: None)
    problem, optimizer = training.member.problem, training.member.optimizer
    compared_on = training.compared_on
    if reason := _too_little(training):
        return FoundRate(problem, optimizer, None, reason, Ramp.none())
    with training.lent():
        start = training.start()
        told(f"ramp: {RAMP_STEPS} steps from {low:g} to {high:g}")
        ramped = ramp(training, low, high, RAMP_STEPS)
        if not math.isfinite(start) or ramped.failed_at_once:
            return FoundRate(problem, optimizer, None, _failed(ramped, start, compared_on), ramped)
        fanned = fan(training, _grid(low, high), ramped.window, steps, start, lambda trial: told(_told(trial, steps)))
    suggestion, reason = decide(fanned, compared_on)
    trials = tuple(fanned.trials[place] for place in sorted(fanned.trials))
    return FoundRate(problem, optimizer, suggestion, reason, ramped, trials, steps, start, compared_on)


def decide(found: Fan, compared_on: str) -> tuple[float | None, str]:
    """The suggestion of a fan, or None, with the reason in words."""
    best = found.best
    if best is None:
        return None, (
            f"Every short training diverged, down to a rate of {min(t.lr for t in found.trials.values()):.2g}. "
            "Try lower rates, or look for NaN in the data, the model or the loss."
        )
    trial = found.trials[best]
    after = f"after {found.steps} steps"
    if not found.fell:
        return None, (
            f"The {compared_on} loss never fell clearly: {found.start:.4g} at the start, {trial.loss:.4g} {after} at "
            f"the best of {len(found.trials)} rates. Look at the model, the loss and the labels, or give more steps."
        )
    fall = f"{after} the {compared_on} loss fell from {found.start:.4g} to {trial.loss:.4g} at {trial.lr:.2g}"
    near = found.as_good
    if len(near) == 1 and best in (0, len(found.grid) - 1):
        edge, other = ("lowest", "lower") if best == 0 else ("highest", "higher")
        return None, f"The best rate is the {edge} that was tried: {fall}. Try {other} ones."
    above = found.trials.get(near[-1] + 1)
    why = f"{fall[0].upper()}{fall[1:]}, the least among {len(found.trials)} rates"
    place: float = best
    if len(near) > 1:
        place += max(-1.0, min(1.0, (near[0] + near[-1]) / 2 - best))
        why += f"; {found.grid[near[0]]:.2g} to {found.grid[near[-1]]:.2g} did as well"
        why += ", and this lies nearer to their middle" if place != best else ""
    elif above is not None and above.diverged:
        place -= 0.25
        why += f"; {above.lr:.2g} diverged, so this lies a little below"
    return float(f"{found.between(place):.2g}"), why + "."


def _too_little(training: RepeatableTraining) -> str | None:
    problem = training.problem
    known = problem.train.rows
    seen = sum(rows(batch) for batch in problem.train_part.in_order()) if known is None else known
    compared = problem.rows.get("validation", seen)
    compared = seen if compared is None else compared
    if seen >= TRAINING_ROWS and compared >= COMPARED_ROWS:
        return None
    return (
        f"Too little data: {seen} rows to train on and {compared} to compare on; a suggestion needs at least "
        f"{TRAINING_ROWS} and {COMPARED_ROWS}."
    )


def _failed(ramped: Ramp, start: float, compared_on: str) -> str:
    if not math.isfinite(start):
        return f"The {compared_on} loss is {start:g} before any update. Look at the data, the model and the loss."
    step = next(i for i, loss in enumerate(ramped.loss, start=1) if not math.isfinite(loss))
    return (
        f"The loss was {ramped.loss[step - 1]:g} at step {step} already, at a rate of {ramped.lr[step - 1]:.2g}. "
        "Look at the data, the model and the loss, or try lower rates."
    )


def _grid(low: float, high: float) -> tuple[float, ...]:
    count = max(3, 1 + round(PER_DECADE * math.log10(high / low)))
    return tuple(low * (high / low) ** (i / (count - 1)) for i in range(count))


def _told(trial: Trial, steps: int) -> str:
    return f"{steps} steps at {trial.lr:.2g}: " + ("diverged" if trial.diverged else f"loss {trial.loss:.4g}")


def check_search(low: Any, high: Any, steps: Any) -> None:
    """Raise InputError for a range or a number of steps that cannot be."""
    if not all(isinstance(rate, Real) for rate in (low, high)) or not 0 < low < high < math.inf:
        raise InputError(f"The rates searched need numbers 0 < low < high; got {shown(low)} to {shown(high)}.")
    whole("steps", steps, 1)

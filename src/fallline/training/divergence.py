"""When a training has diverged: its numbers are not finite, or its loss is far above its start."""

import math

import torch
from torch import Tensor

from fallline.training.outcome import Ending, Outcome

DIVERGED_ABOVE = 10.0


def of_batch_losses(losses: Tensor, done: int) -> Outcome | None:
    """The outcome of a training whose last batch losses, up to that of step `done`, are not all finite."""
    finite = torch.isfinite(losses)
    if bool(finite.all()):
        return None
    first = int((~finite).nonzero()[0])
    step = done - len(losses) + 1 + first
    return Outcome(Ending.DIVERGED, step, f"the loss of step {step} was {_name(float(losses[first]))}")


def of_parameter(name: str, done: int) -> Outcome:
    """The outcome of a training of which a parameter is not finite."""
    return Outcome(Ending.DIVERGED, done, f"{name} was not finite after step {done}")


def of_training_loss(loss: float, start: float, done: int, judged: bool) -> Outcome | None:
    """The outcome of a training whose training loss is not finite, or where it is `judged` far above its start."""
    if not math.isfinite(loss):
        return Outcome(Ending.DIVERGED, done, f"the training loss was {_name(loss)} after step {done}")
    if judged and start > 0 and loss > DIVERGED_ABOVE * start:
        return Outcome(
            Ending.DIVERGED,
            done,
            f"the training loss was {loss:.4g} after step {done}, "
            f"above {DIVERGED_ABOVE:g} times its start of {start:.4g}",
        )
    return None


def _name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "infinite" if math.isinf(value) else f"{value:.4g}"

"""Treatments: regularisation that any rule and any model can be given, as factors of a study.

Each is off at its default, and then changes nothing at all. Penalties act on weights alone: a group rule says which
parameters these are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fallline import wrappers
from fallline.errors import InputError, shown
from fallline.rules import Rule


@dataclass(frozen=True)
class Treatment:
    """A factor of the training: what it does, the value at which it does nothing, and what must be held out for it."""

    says: str
    off: float | None = 0.0
    penalty: str | None = None
    """The hyperparameter that is 0 for parameters which are no weights."""
    wraps: bool = True
    """Whether it is a wrapper around a rule, which torch's own optimizers cannot be given."""
    below: float = math.inf
    """What a value must be below."""

    def checked(self, name: str, value: Any) -> float | None:
        """The value as a number of at least 0 (above 0 where None is off) and below the limit, or that which is off."""
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            return self.off
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not (0 <= number < self.below) or (self.off is None and number == 0):
            limit = "" if self.below == math.inf else f" and below {self.below:g}"
            expected = f"of at least 0{limit}" if self.off is not None else f"above 0{limit}, or none"
            raise InputError(f"Factor {name} must be a number {expected}; got {shown(value)}.")
        return number


TREATMENTS: Mapping[str, Treatment] = {
    "l1": Treatment("L1 penalty l1 * |w|, as a proximal step", penalty="l1.strength"),
    "l2": Treatment("L2 penalty l2 / 2 * w^2, through the gradient", penalty="l2.weight_decay"),
    "decoupled_decay": Treatment("weight decay beside the step, as in AdamW", penalty="decoupled.weight_decay"),
    "gradient_noise": Treatment("gradient noise whose variance begins at this value and falls"),
    "clip_value": Treatment("every element of a gradient limited to this size", off=None),
    "clip_norm": Treatment("every parameter's gradient scaled down to this norm", off=None),
    "clip_global_norm": Treatment("all gradients together scaled down to this norm", off=None),
    "average": Treatment(
        "moving average of the weights with this decay, such as 0.99, with which the model is evaluated",
        off=None,
        below=1.0,
    ),
    "patience": Treatment(
        "early stopping after so many epochs without a lower validation loss; the best weights are restored",
        off=None,
        wraps=False,
    ),
}


def treated(rule: Rule, factors: Mapping[str, Any]) -> Rule:
    """The rule inside the wrappers that some factors ask for.

    A gradient is clipped, made noisy, and then penalised before the rule sees it; L1's proximal step comes behind it,
    and what that leaves is averaged.

    >>> from fallline.rules import SGD
    >>> treated(SGD(lr=0.1), {"l1": 1e-4, "l2": 0.0, "width": 8}).hyperparameters()["l1.strength"]
    0.0001
    """
    on = active(factors)
    if "decoupled_decay" in on:
        rule = wrappers.DecoupledDecay(rule, on["decoupled_decay"])
    if "l2" in on:
        rule = wrappers.L2(rule, on["l2"])
    if "gradient_noise" in on:
        rule = wrappers.Noise(rule, on["gradient_noise"])
    if clips := {name.removeprefix("clip_"): limit for name, limit in on.items() if name.startswith("clip_")}:
        rule = wrappers.Clip(rule, **clips)
    if "l1" in on:
        rule = wrappers.L1(rule, on["l1"])
    if "average" in on:
        rule = wrappers.Average(rule, on["average"])
    return rule


def active(factors: Mapping[str, Any]) -> dict[str, float]:
    """The treatments among some factors that are not off."""
    return {
        name: factors[name] for name, treatment in TREATMENTS.items() if factors.get(name) not in (None, treatment.off)
    }


def penalties(factors: Mapping[str, Any]) -> list[str]:
    """The hyperparameters of the penalties among some factors that are not off."""
    return [key for name in active(factors) if (key := TREATMENTS[name].penalty) is not None]

"""How many updates parameters have had, and how many steps their optimizer."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from fallline.errors import InputError, shown


def updates_of(state: Mapping[str, Any]) -> int:
    """How many updates a parameter with this state has had."""
    # torch keeps no count for some optimizers: with state, they are past the first update.
    return int(state["step"]) if "step" in state else int(len(state) > 0)


def fewest_steps(states: Mapping[Tensor, Mapping[str, Any]]) -> int:
    """How many steps an optimizer with these states has made at least: the updates of the parameter with the most.

    >>> fewest_steps({})
    0
    """
    return max(map(updates_of, states.values()), default=0)


def saved_steps(packed: Mapping[str, Any]) -> int | None:
    """The count of steps that a state_dict holds, None where its states tell it."""
    steps = packed.get("steps")
    if steps is not None and (not isinstance(steps, int) or isinstance(steps, bool) or steps < 1):
        raise InputError(f"steps of the saved state must be a whole number of at least 1; got {shown(steps)}.")
    return steps

"""State that follows its parameters to another type or device, as `model.double()` and `model.to(device)` move them."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from fallline.optim.loading import fullest
from fallline.optim.views import first_state
from fallline.rules import Rule

Groups = Sequence[Mapping[str, Any]]


def whereabouts(groups: Groups) -> list[Any]:
    """The type of every parameter and the device of every group, to be compared with those of the step before."""
    types = [p.dtype for group in groups for p in group["params"]]
    return [*types, *(group["params"][0].device for group in groups if group["params"])]


def follow(groups: Groups, rules: Sequence[Rule], states: Mapping[Tensor, dict[str, Any]]) -> None:
    """Bring each parameter's state to the types and the device that its rule would give it there now."""
    for group, rule in zip(groups, rules, strict=True):
        for p in group["params"]:
            if not (state := states.get(p)):
                continue
            # What a schedule has switched off for now is kept.
            expected = first_state(fullest(rule), p) | first_state(rule, p)
            for name, here in expected.items():
                if name in state and (state[name].dtype, state[name].device) != (here.dtype, here.device):
                    state[name] = state[name].to(dtype=here.dtype, device=here.device)

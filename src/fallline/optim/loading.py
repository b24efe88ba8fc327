"""What a saved state must be to be loaded: all of it is checked before anything is changed."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.optim.acceptance import MANNER_KEYS, SCHEDULERS_KEYS, TORCHS_WRAPPERS
from fallline.optim.names import called, unwrapped
from fallline.optim.views import first_state
from fallline.rules import Rule

Groups = list[dict[str, Any]]


def check_packed(packed: Any) -> None:
    """Refuse what is no optimizer's state_dict."""
    if not isinstance(packed, Mapping) or not all(name in packed for name in ("state", "param_groups")):
        found = ", ".join(map(str, packed)) if isinstance(packed, Mapping) else type(packed).__name__
        raise InputError(f"An optimizer's state_dict has 'state' and 'param_groups'; got {found or 'an empty one'}.")


def loaded_groups(
    groups: Groups, saved: Sequence[Mapping[str, Any]], known: Collection[str], needed: Collection[str]
) -> Groups:
    """The groups with the saved values, of the hyperparameters that a group may hold and those that it must.

    Raises InputError for another number of groups or of parameters, other names or the same in another order, and
    hyperparameters that are not known or not there.
    """
    if len(groups) != len(saved):
        raise InputError(f"The saved state has {_count(saved, 'parameter group')}, the optimizer {len(groups)}.")
    for number, (ours, theirs) in enumerate(zip(groups, saved, strict=True)):
        if len(ours["params"]) != len(theirs["params"]):
            raise InputError(
                f"Group {number} has {_count(theirs['params'], 'parameter')} in the saved state, "
                f"{len(ours['params'])} in the optimizer."
            )
        _check_names(number, ours.get("param_names"), theirs.get("param_names"))
        _check_keys(number, theirs, {*known, *ours.keys() - TORCHS_WRAPPERS, "param_names", *SCHEDULERS_KEYS})
        if missing := [name for name in needed if name not in theirs]:
            raise InputError(
                f"Group {number} of the saved state lacks {missing[0]!r}: it is another optimizer's state."
            )
    # How steps are run is not of the training that was saved.
    own = ("params", "differentiable")
    return [
        {key: ours[key] for key in ("param_names",) if key in ours}
        | deepcopy({**theirs, "params": []})
        | {key: ours[key] for key in own}
        for ours, theirs in zip(groups, saved, strict=True)
    ]


def loaded_state(
    groups: Groups, rules: Sequence[Rule], saved: Sequence[Mapping[str, Any]], state: Mapping[Any, Any]
) -> defaultdict[Tensor, dict[str, Any]]:
    """The saved state of each parameter, in memory of its own, in the types that the rules of the groups give it.

    A parameter without saved state is before its first update. Raises InputError for entries that a rule does not
    keep or that are not there, for shapes that are not the rule's, and for types that would lose digits.
    """
    places = {key: (number, i) for number, group in enumerate(saved) for i, key in enumerate(group["params"])}
    if lost := [key for key in state if key not in places]:
        raise InputError(f"The saved state has entries for parameter {lost[0]!r}, which is in none of its groups.")
    found: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
    for key, kept in state.items():
        number, i = places[key]
        # Older versions of torch wrote None for a momentum that was not there yet.
        if entries := {entry: value for entry, value in kept.items() if value is not None}:
            p = groups[number]["params"][i]
            found[p] = _loaded_entries(called(groups, number, i), rules[number], p, entries)
    return found


def _loaded_entries(name: str, rule: Rule, p: Tensor, entries: Mapping[str, Any]) -> dict[str, Any]:
    expected = first_state(rule, p)
    needed = [*expected, *(["step"] if rule.core().torch_step else [])]
    if missing := [entry for entry in needed if entry not in entries]:
        raise _others(name, f"lacks {missing[0]!r}", needed)
    saved = [entry for entry in entries if entry != "step"]
    if not expected.keys() >= set(saved):
        # What a schedule has switched off, such as a momentum that is 0 for now, is kept as torch keeps it.
        expected = first_state(fullest(rule), p) | expected
    if unknown := [entry for entry in saved if entry not in expected]:
        raise _others(name, f"has {unknown[0]!r}", needed)
    return {
        entry: _count_of(name, value) if entry == "step" else _cast(f"{entry} of {name}", value, expected[entry], p)
        for entry, value in entries.items()
    }


def _cast(what: str, value: Any, expected: Tensor, p: Tensor) -> Tensor:
    if not isinstance(value, Tensor):
        raise InputError(f"{what} must be a tensor; the saved state holds {type(value).__name__}.")
    if value.shape != expected.shape:
        raise InputError(f"{what} has shape {tuple(value.shape)} in the saved state; here {tuple(expected.shape)}.")
    # Numbers that a parameter has one of, such as a product of momenta, torch keeps in the default type.
    single = expected.dim() == 0 and p.dim() > 0
    if not single and torch.promote_types(value.dtype, expected.dtype) != expected.dtype:
        raise InputError(
            f"{what} is {_type(value)} in the saved state and {_type(expected)} here, which would lose digits. "
            f"Convert the model to {_type(value)}, or the entry to {_type(expected)} where that is meant."
        )
    return value.detach().to(dtype=expected.dtype, device=expected.device, copy=True)


def _count_of(name: str, step: Any) -> Tensor:
    if isinstance(step, Tensor) and step.numel() == 1:
        return step.detach().reshape(()).clone()
    if not isinstance(step, int | float):
        raise InputError(f"step of {name} must be a number; the saved state holds {type(step).__name__}.")
    return torch.tensor(float(step), dtype=torch.float32)


def fullest(rule: Rule) -> Rule:
    """The rule with all that can be absent."""
    values = rule.hyperparameters()
    kinds = rule.kinds().items()
    absent = {name: 0.5 for name, kind in kinds if kind.is_float and kind.optional and values[name] is None}
    return rule.bind(absent | {name: True for name, kind in kinds if kind.type is bool})


def _check_keys(number: int, saved: Mapping[str, Any], known: Collection[str]) -> None:
    for name, value in saved.items():
        if name in known or name in MANNER_KEYS or (name in TORCHS_WRAPPERS and not value):
            continue
        # torch's AdamW says so of itself.
        if name == "decoupled_weight_decay" and "weight_decay" in known:
            continue
        raise InputError(
            f"Group {number} of the saved state holds {name!r}, which is no hyperparameter here: it is another "
            "optimizer's state."
        )


def _check_names(number: int, ours: Sequence[str] | None, saved: Sequence[str] | None) -> None:
    if ours is None or saved is None:
        return
    ours, saved = unwrapped(ours), unwrapped(saved)
    if list(ours) == list(saved):
        return
    here, there = _differing(ours, saved)
    if sorted(ours) == sorted(saved):
        raise InputError(
            f"Group {number} has the same parameters in another order: where the saved state has {there!r}, the "
            f"optimizer has {here!r}. Give the optimizer the parameters in the saved order."
        )
    raise InputError(
        f"Group {number} has other parameters: where the saved state has {there!r}, the optimizer has {here!r}."
    )


def _differing(ours: Sequence[str], saved: Sequence[str]) -> tuple[str, str]:
    pairs: Iterator[tuple[str, str]] = zip(ours, saved, strict=True)
    return next((here, there) for here, there in pairs if here != there)


def _others(name: str, what: str, needed: Sequence[str]) -> InputError:
    kept = ", ".join(needed) or "nothing"
    return InputError(f"The saved state of {name} {what}; this rule keeps {kept}: it is another optimizer's state.")


def _count(things: Sequence[Any], what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"


def _type(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")

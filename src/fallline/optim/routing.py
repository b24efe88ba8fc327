"""Parameter groups of a rule that routes: each is split into one for every rule that takes some of its parameters."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from fallline.errors import InputError
from fallline.optim.acceptance import check_keys
from fallline.optim.groups import ROUTE, group_values
from fallline.rules import Rule
from fallline.wrappers.route import branch_of, branches, key_in_whole


def shared_defaults(rule: Rule) -> dict[str, Any]:
    """The values that groups have where they name none; what routes has none in common, each group has its own."""
    return group_values(rule) if len(branches(rule)) == 1 else {}


def split(rule: Rule, group: Any, defaults: Mapping[str, Any]) -> list[Any]:
    """The groups that a group of parameters becomes, one for each branch of the rule that takes any, with its label."""
    found = branches(rule)
    if len(found) == 1 or not isinstance(group, dict) or "params" not in group:
        return [group]
    keys = {label: _keys(rule, label, branch) for label, branch in found.items()}
    check_keys(group, {**defaults, **{whole: None for names in keys.values() for whole in names.values()}})
    params = group["params"]
    if isinstance(params, set):
        raise InputError("the order of a set differs from run to run; give the parameters as a list.")
    params = [params] if isinstance(params, Tensor) else list(params)
    chosen: dict[str, list[Any]] = {label: [] for label in found}
    for item, name in zip(params, _names(group, params), strict=True):
        p = item[1] if isinstance(item, tuple) else item
        chosen[branch_of(rule, name, p)].append(p if name is None else (name, p))
    shared = {key: value for key, value in group.items() if key in defaults}
    return [
        {
            "params": taken,
            **shared,
            **{key: group.get(keys[label][key], value) for key, value in group_values(found[label]).items()},
            ROUTE: label,
        }
        for label, taken in chosen.items()
        if taken or not params
    ]


def every_key(rule: Rule, defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys that the groups of an optimizer may have, whichever branch they belong to."""
    found = branches(rule)
    routed = {key: None for branch in found.values() for key in group_values(branch)} | {ROUTE: None}
    return {**defaults, **routed} if len(found) > 1 else defaults


def keys_of(rule: Rule, group: Mapping[str, Any], defaults: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys that a group, once it is split, may have."""
    if ROUTE not in group:
        return defaults
    return {**defaults, **group_values(branches(rule)[group[ROUTE]]), ROUTE: ""}


def _keys(rule: Rule, label: str, branch: Rule) -> dict[str, str]:
    return {key: key_in_whole(rule, label, key) for key in group_values(branch)}


def _names(group: Mapping[str, Any], params: list[Any]) -> list[str | None]:
    given = group.get("param_names")
    return given or [item[0] if isinstance(item, tuple) else None for item in params]

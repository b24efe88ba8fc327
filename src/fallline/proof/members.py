"""A population held to a reference run of each of its members."""

from collections.abc import Mapping

import torch
from torch import Tensor

from fallline.executors import Update, initial_state, initial_states, population, reference
from fallline.proof.findings import Broken
from fallline.proof.trials import furthest, moments, other_values, surroundings
from fallline.rules import Rule, State

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
ROUNDED = 0.25
"""Where a rule rounds to bfloat16 inside, a last bit that differs is enlarged from operation to operation."""
_MEMBERS = 3


def members_of(rule: Rule, names: list[str], count: int) -> list[dict[str, float]]:
    """So many settings of the named floats, the rule's own first."""
    choices = {n: [rule.floats()[n], *other_values(rule.floats()[n], rule.kinds()[n])] for n in names}
    return [{n: values[j % len(values)] for n, values in choices.items()} for j in range(count)]


def members_apart(rule: Rule, names: list[str], dtype: torch.dtype, steps: int = 3) -> float:
    """Hold a population, whose members differ in the named floats, to a reference run of each member."""
    members = members_of(rule, names, _MEMBERS)
    values = {n: torch.tensor([m[n] for m in members], dtype=torch.float64) for n in names}
    bound = [rule.bind(member) for member in members]
    largest = 0.0
    for parts in zip(*(moments(single, dtype, steps=steps) for single in bound), strict=True):
        t = parts[0].t[0]
        p = [torch.stack(tensors) for tensors in zip(*(part.p for part in parts), strict=True)]
        if t == 1:
            _initial_states_agree(rule, values, p, bound)
        update = population(
            rule,
            values,
            p,
            [torch.stack(tensors) for tensors in zip(*(part.g for part in parts), strict=True)],
            [_stacked(states) for states in zip(*(part.state for part in parts), strict=True)],
            t,
            surroundings(t),
        )
        for j, part in enumerate(parts):
            right = reference([part.copy()], surroundings(part.t[0]))[0]
            largest = max(largest, hold(f"population in {name_of(dtype)}", _member(update, j), right, dtype, rule))
    return largest


def _initial_states_agree(rule: Rule, values: Mapping[str, Tensor], p: list[Tensor], members: list[Rule]) -> None:
    states = initial_states(rule, values, p)
    none = [torch.zeros(()) for _ in p]
    for j, single in enumerate(members):
        mine = Update(none, [{n: s[j] for n, s in state.items()} for state in states])
        hold("init of a population", mine, Update(none, [initial_state(single, q[j]) for q in p]), p[0].dtype)


def _member(update: Update, j: int) -> Update:
    return Update([d[j] for d in update.decrement], [{n: s[j] for n, s in state.items()} for state in update.state])


def _stacked(states: tuple[State, ...]) -> State:
    return {name: torch.stack([state[name] for state in states]) for name in states[0]}


def tolerance(rule: Rule | None, dtype: torch.dtype) -> float:
    """How far two executors of a rule may differ in one step, beyond rounding where the rule declares it."""
    if rule is None:
        return TOLERANCE[dtype]
    return ROUNDED if rule.rounds else TOLERANCE[dtype] * rule.amplifies


def hold(
    name: str, update: Update, right: Update, dtype: torch.dtype = torch.float64, rule: Rule | None = None
) -> float:
    """The relative difference of two updates, or Broken where it is above the tolerance."""
    difference, where = furthest(update, right)
    if not difference <= tolerance(rule, dtype):
        raise Broken(f"{name} differs by {difference:.1e} in {where}")
    return difference


def name_of(dtype: torch.dtype) -> str:
    """A type's name in words."""
    return str(dtype).removeprefix("torch.")

"""The formula over many trainings at once: stacked parameters, mapped with `torch.vmap`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fallline.executors.each import Each
from fallline.executors.part import Part, Surroundings, Update
from fallline.executors.reference import in_pieces, stepped
from fallline.rules import Now, Rule, State

Values = Mapping[str, Tensor]


def population(
    rule: Rule,
    values: Values | Sequence[Values],
    p: Sequence[Tensor],
    g: Sequence[Tensor],
    state: Sequence[State],
    t: int,
    around: Surroundings,
) -> Update:
    """One step of many members that share a program.

    `values` gives each float hyperparameter as a float64 tensor of shape (members,), for all parameters or for each
    parameter its own; p, g and the state entries have the members as their first axis. Totals are per member; the
    noise is the same for all.
    """

    def one(values: Any, p: list[Tensor], g: list[Tensor], state: list[State]) -> Any:
        values_of = [values] * len(p) if isinstance(values, dict) else values
        part = Part(rule, p, g, state, values_of, [t] * len(p), list(range(len(p))))
        update = of_one_member([part], around)[0]
        return update.decrement, update.state

    with torch.no_grad():
        given = dict(values) if isinstance(values, Mapping) else [dict(own) for own in values]
        decrement, new = _mapped(one)(given, list(p), list(g), list(state))
    return Update(decrement, new)


def of_one_member(parts: Sequence[Part], around: Surroundings) -> list[Update]:
    """The step of one member's parts, to be called inside `torch.vmap`: hyperparameters are 0-d tensors, and what
    several parameters share must be one object. Totals are over these parts.
    """
    shape = {position: q.shape for part in parts for position, q in zip(part.position, part.p, strict=True)}

    def step(part: Part, now: Now) -> Update:
        return stepped(part.rule.bind(_together(part.values)), part, now, Each)

    updates = in_pieces(
        step, [_with_one_element(part) for part in parts], _seeing_one_element(around, shape), lambda piece: piece.t[0]
    )
    return [_as_it_was(update, part) for update, part in zip(updates, parts, strict=True)]


def initial_states(rule: Rule, values: Mapping[str, Tensor], p: Sequence[Tensor]) -> list[State]:
    """The states of stacked parameters before the first update."""

    def one(values: dict[str, Tensor], p: list[Tensor]) -> list[State]:
        return [initial_state_of_one_member(rule, values, q) for q in p]

    with torch.no_grad():
        states: list[State] = _mapped(one)(dict(values), [q.detach() for q in p])
    return states


def initial_state_of_one_member(rule: Rule, values: Values, p: Tensor) -> State:
    """The state of one member's parameter before its first update, to be called inside `torch.vmap`."""
    shaped = rule.init(p)
    return {name: value.reshape(shaped[name].shape) for name, value in rule.bind(values).init(_one_element(p)).items()}


def _together(values: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Values that all parameters share as they are, and each parameter's own as a list over the parameters."""
    first = values[0]
    if all(own is first for own in values):
        return first
    return {name: Each(own[name] for own in values) for name in first}


def _one_element(x: Tensor) -> Tensor:
    """A 0-d tensor as one of shape (1,), which a 0-d float64 hyperparameter does not widen."""
    return x.reshape(1) if x.dim() == 0 else x


def _with_one_element(part: Part) -> Part:
    return replace(
        part,
        p=[_one_element(q) for q in part.p],
        g=[_one_element(q) for q in part.g],
        # The numbers of a larger parameter stay 0-d: as (1,) they would widen it where their type is wider.
        state=[
            {name: _one_element(value) if q.dim() == 0 else value for name, value in old.items()}
            for q, old in zip(part.p, part.state, strict=True)
        ],
    )


def _as_it_was(update: Update, part: Part) -> Update:
    return Update(
        [d.reshape(q.shape) for d, q in zip(update.decrement, part.p, strict=True)],
        [
            {name: value.reshape(old[name].shape) for name, value in new.items()}
            for new, old in zip(update.state, part.state, strict=True)
        ],
    )


def _seeing_one_element(around: Surroundings, shape: Mapping[int, torch.Size]) -> Surroundings:
    def noise(q: Tensor, position: int, call: int) -> Tensor:
        return around.noise(q.reshape(shape[position]), position, call).reshape(q.shape)

    def gradient(points: Sequence[tuple[int, Tensor]]) -> list[Tensor]:
        assert around.gradient is not None
        found = around.gradient([(position, x.reshape(shape[position])) for position, x in points])
        return [g.reshape(x.shape) for g, (_, x) in zip(found, points, strict=True)]

    return replace(around, noise=noise, gradient=None if around.gradient is None else gradient)


def _mapped(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.vmap(function, randomness="same")

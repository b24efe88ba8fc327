"""The formula over many trainings at once: stacked parameters, mapped with `torch.vmap`."""

from collections.abc import Callable, Mapping, Sequence
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
        part = Part(
            rule,
            p=[_one_element(q) for q in p],
            g=[_one_element(q) for q in g],
            # The numbers of a larger parameter stay 0-d: as (1,) they would widen it where their type is wider.
            state=[
                {name: _one_element(value) if q.dim() == 0 else value for name, value in old.items()}
                for q, old in zip(p, state, strict=True)
            ],
            t=[t] * len(p),
            values=[{}] * len(p),
            position=list(range(len(p))),
        )

        def step(part: Part, now: Now) -> Update:
            return stepped(rule.bind(_together([values_of[i] for i in part.position])), part, now, Each)

        update = in_pieces(step, [part], _seeing_one_element(around, p), lambda piece: t)[0]
        return (
            [d.reshape(q.shape) for d, q in zip(update.decrement, p, strict=True)],
            [
                {name: value.reshape(old[name].shape) for name, value in new.items()}
                for new, old in zip(update.state, state, strict=True)
            ],
        )

    with torch.no_grad():
        given = dict(values) if isinstance(values, Mapping) else [dict(own) for own in values]
        decrement, new = _mapped(one)(given, list(p), list(g), list(state))
    return Update(decrement, new)


def _together(values: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Values that all parameters share as they are, and each parameter's own as a list over the parameters."""
    first = values[0]
    if all(own is first for own in values):
        return first
    return {name: Each(own[name] for own in values) for name in first}


def initial_states(rule: Rule, values: Mapping[str, Tensor], p: Sequence[Tensor]) -> list[State]:
    """The states of stacked parameters before the first update."""

    def one(values: dict[str, Tensor], p: list[Tensor]) -> list[State]:
        bound = rule.bind(values)
        return [
            {name: value.reshape(shaped[name].shape) for name, value in bound.init(_one_element(q)).items()}
            for q, shaped in ((q, rule.init(q)) for q in p)
        ]

    with torch.no_grad():
        states: list[State] = _mapped(one)(dict(values), [q.detach() for q in p])
    return states


def _one_element(x: Tensor) -> Tensor:
    """A 0-d tensor as one of shape (1,), which a 0-d float64 hyperparameter does not widen."""
    return x.reshape(1) if x.dim() == 0 else x


def _seeing_one_element(around: Surroundings, p: Sequence[Tensor]) -> Surroundings:
    def noise(q: Tensor, position: int, call: int) -> Tensor:
        return around.noise(q.reshape(p[position].shape), position, call).reshape(q.shape)

    def gradient(points: Sequence[tuple[int, Tensor]]) -> list[Tensor]:
        assert around.gradient is not None
        found = around.gradient([(position, x.reshape(p[position].shape)) for position, x in points])
        return [g.reshape(x.shape) for g, (_, x) in zip(found, points, strict=True)]

    return Surroundings(around.step, noise, None if around.gradient is None else gradient)


def _mapped(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.vmap(function, randomness="same")

"""The formula over many trainings at once: parameters stacked along a first axis, mapped with `torch.vmap`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.executors.each import Each
from fallline.executors.part import Part, Surroundings, Update
from fallline.executors.questions import run
from fallline.rules import Now, Rule, State


def population(
    rule: Rule,
    values: Mapping[str, Tensor],
    p: Sequence[Tensor],
    g: Sequence[Tensor],
    state: Sequence[State],
    t: int,
    around: Surroundings,
) -> Update:
    """One step of many members that share a program.

    `values` gives each float hyperparameter as a float64 tensor of shape (members,); p, g and the state entries
    have the members as their first axis. Noise and totals are per member; the noise is the same for all members.
    """

    def one(values: dict[str, Tensor], p: list[Tensor], g: list[Tensor], state: list[State]) -> Any:
        part = Part(rule, p=p, g=g, state=state, t=[t] * len(p), position=list(range(len(p))))

        def step(part: Part, now: Now) -> tuple[list[Tensor], list[State]]:
            stacked = {name: Each(s[name] for s in part.state) for name in part.state[0]}
            decrement, new = rule.bind(values).step(Each(part.p), Each(part.g), stacked, now)  # type: ignore[arg-type]
            return (
                [d.to(q.dtype) for d, q in zip(decrement.items, part.p, strict=True)],  # type: ignore[operator]
                [
                    {name: value.items[i].to(old[name].dtype) for name, value in new.items()}  # type: ignore[operator]
                    for i, old in enumerate(part.state)
                ],
            )

        return run(step, [part], [t], around)[0]

    with torch.no_grad():
        decrement, new = _mapped(one)(dict(values), list(p), list(g), list(state))
    return Update(decrement, new)


def initial_states(rule: Rule, values: Mapping[str, Tensor], p: Sequence[Tensor]) -> list[State]:
    """The states of stacked parameters before the first update."""
    with torch.no_grad():
        states: list[State] = _mapped(lambda values, p: [rule.bind(values).init(q) for q in p])(
            dict(values), [q.detach() for q in p]
        )
    return states


def _mapped(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.vmap(function, randomness="same")

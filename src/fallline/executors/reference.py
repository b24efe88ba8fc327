"""The specification: the formula, applied to each parameter in a plain loop. Every executor must equal it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.executors.each import Each
from fallline.executors.part import Part, Surroundings, Update
from fallline.executors.questions import run
from fallline.rules import Now, Rule, State


def reference(parts: Sequence[Part], around: Surroundings) -> list[Update]:
    """The decrements and new states of all parts; nothing is changed in place."""
    return looped(parts, around, Each)


def looped(parts: Sequence[Part], around: Surroundings, each: type[Each]) -> list[Update]:
    """Run each part's step once, every quantity a list over the part's parameters."""

    def step(part: Part, now: Now) -> Update:
        rule = part.rule.bind({name: _shared(each, [v[name] for v in part.values]) for name in part.values[0]})
        state = {name: each(s[name] for s in part.state) for name in part.state[0]}
        decrement, new = rule.step(each(part.p), each(part.g), state, now)  # type: ignore[arg-type]
        return Update(
            decrement=[d.to(p.dtype) for d, p in zip(decrement.items, part.p, strict=True)],  # type: ignore[operator]
            state=[_kept(new, part.state[i], i) for i in range(len(part.p))],
        )

    with torch.no_grad():
        return run(step, parts, [_shared(each, part.t) for part in parts], around)


def initial_state(rule: Rule, p: Tensor) -> State:
    """A parameter's state before its first update."""
    with torch.no_grad():
        return rule.init(p.detach())


def _shared(each: type[Each], values: list[Any]) -> Any:
    return values[0] if all(value == values[0] for value in values[1:]) else each(values)


def _kept(new: State, old: State, i: int) -> State:
    return {name: value.items[i].to(old[name].dtype) for name, value in new.items()}  # type: ignore[operator]

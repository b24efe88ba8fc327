"""The specification: the formula, applied to each parameter in a plain loop. Every executor must equal it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError, shown
from fallline.executors.each import Each, per_item
from fallline.executors.part import Part, Surroundings, Update
from fallline.executors.questions import run
from fallline.rules import Now, Rule, State


@torch.no_grad()
def reference(parts: Sequence[Part], around: Surroundings) -> list[Update]:
    """The decrements and new states of all parts; nothing is changed in place."""
    return looped(parts, around, Each)


def looped(parts: Sequence[Part], around: Surroundings, each: type[Each]) -> list[Update]:
    """Run each part's step once, every quantity a list over the part's parameters."""

    def step(part: Part, now: Now) -> Update:
        return stepped(bound(part, each), part, now, each)

    return in_pieces(step, parts, around, lambda piece: shared(each, piece.t))


def in_pieces(
    step: Callable[[Part, Now], Update], parts: Sequence[Part], around: Surroundings, now_t: Callable[[Part], Any]
) -> list[Update]:
    """Run a step on parts, each cut into the pieces that a formula may take as one list; the update of each part."""
    cuts = [part.pieces() for part in parts]
    whole = [len(cut) == 1 for cut in cuts]
    pieces = [
        part if alone else part.only(chosen)
        for part, cut, alone in zip(parts, cuts, whole, strict=True)
        for chosen in cut
    ]
    updates = iter(run(step, pieces, [now_t(piece) for piece in pieces], around))
    return [
        next(updates) if alone else _joined(len(part.p), [(chosen, next(updates)) for chosen in cut])
        for part, cut, alone in zip(parts, cuts, whole, strict=True)
    ]


def _joined(count: int, pieces: Sequence[tuple[Sequence[int], Update]]) -> Update:
    found = {
        i: (decrement, state)
        for chosen, update in pieces
        for i, decrement, state in zip(chosen, update.decrement, update.state, strict=True)
    }
    return Update([found[i][0] for i in range(count)], [found[i][1] for i in range(count)])


def bound(part: Part, each: type[Each]) -> Rule:
    """A part's rule with its hyperparameters, a list where the parameters' differ."""
    return part.rule.bind({name: shared(each, [v[name] for v in part.values]) for name in part.values[0]})


def stepped(rule: Rule, part: Part, now: Now, each: type[Each]) -> Update:
    """The rule's step on a part's lists, every result cast to the type that its parameter or state has."""
    state = {name: each(s[name] for s in part.state) for name in part.state[0]}
    return update_of(part, *results(rule, each(part.p), each(part.g), state, now))


def results(rule: Rule, p: Each, g: Each, state: Mapping[str, Each], now: Now) -> tuple[Any, dict[str, Any]]:
    """What a rule's step gives on lists: what to subtract, and the new state."""
    step: Callable[..., Any] = rule.step
    decrement, new = unpacked(rule, step(p, g, dict(state), now))
    check_result(rule, decrement, new, list(state))
    return decrement, new


def update_of(part: Part, decrement: Any, new: dict[str, Any]) -> Update:
    """A part's update from a step's results, cast to the types that its parameters and states have."""
    count = len(part.p)
    entries = {name: per_item(value, count) for name, value in new.items()}
    return Update(
        decrement=[d.to(p.dtype) for d, p in zip(per_item(decrement, count), part.p, strict=True)],
        state=[
            {name: values[i].to(old[name].dtype) for name, values in entries.items()}
            for i, old in enumerate(part.state)
        ],
    )


def unpacked(rule: Rule, result: Any) -> tuple[Any, Any]:
    """What a step gives back, which must be two things."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise InputError(
            f"{type(rule).__name__}.step must return what to subtract and the new state, as in "
            f"`return self.lr * g, state`; it returned {shown(result)}."
        )
    return result


def check_result(rule: Rule, decrement: Any, new: Any, names: Sequence[str]) -> None:
    """Refuse a step that gives back no tensor to subtract, or a state of other entries than `init` made."""
    name = type(rule).__name__
    if not isinstance(decrement, Tensor | Each):
        raise InputError(f"{name}.step must return a tensor to subtract; it returned {shown(decrement)}.")
    if not isinstance(new, dict) or new.keys() != set(names):
        given = sorted(new) if isinstance(new, dict) else shown(new)
        raise InputError(f"{name}.step must return the entries of state that init made, {sorted(names)}; got {given}.")


def initial_state(rule: Rule, p: Tensor) -> State:
    """A parameter's state before its first update."""
    with torch.no_grad():
        return rule.init(p.detach())


def shared(each: type[Each], values: list[Any]) -> Any:
    """One value where all are equal, else the list."""
    return values[0] if all(value == values[0] for value in values[1:]) else each(values)

"""The parameters of a step: which take part, what the formula is shown of each, and where its results go."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.executors import Part
from fallline.optim.counting import updates_of
from fallline.optim.names import called
from fallline.optim.views import REAL_PAIRS, WHOLE, Rows, Whole, first_state
from fallline.rules import Rule, State
from fallline.wrappers import Wrapper

Groups = Sequence[Mapping[str, Any]]


@dataclass(slots=True)
class Seat:
    """A parameter that takes part in a step: its place, how the formula sees it, and its state as it is stored."""

    p: Tensor
    group: int
    index: int
    position: int
    view: Whole = WHOLE
    state: State = field(default_factory=dict)


def rounds(groups: Groups) -> list[list[Seat]]:
    """The parameters that have a gradient. As in torch, one that is given twice is stepped twice, in a second round."""
    found: list[list[Seat]] = []
    times: dict[int, int] = {}
    position = 0
    for number, group in enumerate(groups):
        for index, p in enumerate(group["params"]):
            if p.grad is not None:
                before = times.get(id(p), 0)
                if before == len(found):
                    found.append([])
                found[before].append(Seat(p, number, index, position))
                times[id(p)] = before + 1
            position += 1
    return found


class Gathering:
    """The parts of a step, and who sits in them.

    `states` is the optimizer's; nothing is written there before `keep`, so that a step that fails leaves no half of
    a state behind. `entries` remembers, between steps, which entries of state a program keeps for a shape.
    """

    def __init__(self, groups: Groups, states: Mapping[Tensor, dict[str, Any]], entries: dict[Any, Any]) -> None:
        self._groups = groups
        self._states = states
        self._entries = entries
        self._parts: dict[Hashable, tuple[Part, list[Seat]]] = {}

    @property
    def parts(self) -> list[Part]:
        """What an executor takes."""
        return [part for part, _ in self._parts.values()]

    @property
    def seats(self) -> dict[int, Seat]:
        """Who takes part, by position in the model."""
        return {seat.position: seat for _, seats in self._parts.values() for seat in seats}

    def fill(self, seats: Sequence[Seat], rule_of_group: Callable[[int], Rule]) -> None:
        """Seat parameters in the parts of their groups' programs."""
        programs: dict[int, tuple[Rule, dict[str, Any], dict[Any, list[str]], Part, list[Seat]]] = {}
        for seat in seats:
            if seat.group not in programs:
                rule = rule_of_group(seat.group)
                program = rule.program()
                names = self._entries.setdefault(program, {})
                programs[seat.group] = rule, rule.floats(), names, *self._parts.setdefault(program, (Part(rule), []))
            rule, values, names, part, sitting = programs[seat.group]
            part.g.append(self._look(rule, seat))
            t, seat.state = self._counted(rule, names, seat.p)
            sitting.append(seat)
            view = seat.view
            part.p.append(view.seen(seat.p))
            part.state.append(
                dict(seat.state) if view is WHOLE else {name: view.seen(x) for name, x in seat.state.items()}
            )
            part.values.append(values)
            part.t.append(t + 1)
            part.position.append(seat.position)

    def keep(self) -> None:
        """Store what an executor made of the parts."""
        counts: dict[int, Tensor] = {}
        for part, seats in self._parts.values():
            for p, t, new, seat in zip(part.p, part.t, part.state, seats, strict=True):
                if t not in counts:
                    counts[t] = torch.tensor(float(t), dtype=torch.float32)
                view = seat.view
                if view is not WHOLE:
                    view.write(seat.p, p)
                    new = {name: view.kept(seat.state[name], x) for name, x in new.items()}
                # Each its own: torch's steps count in place.
                self._states[seat.p].update(new, step=counts[t].clone())

    def _look(self, rule: Rule, seat: Seat) -> Tensor:
        """Choose how the formula sees a parameter; its gradient, seen so."""
        gradient = seat.p.grad
        assert gradient is not None
        if gradient.layout is not torch.strided:
            gradient = self._coalesced(rule, seat, gradient)
            seat.view = Rows(gradient)
        elif seat.p.is_complex():
            seat.view = REAL_PAIRS
        return seat.view.gradient(gradient)

    def _coalesced(self, rule: Rule, seat: Seat, gradient: Tensor) -> Tensor:
        graph = torch.is_grad_enabled()
        if not rule.sparse or gradient.layout != torch.sparse_coo or seat.p.is_complex() or graph:
            kind = " of complex numbers" if seat.p.is_complex() else " with differentiable=True" if graph else ""
            raise InputError(
                f"{_spelled(rule)} takes no sparse gradient{kind}, such as "
                f"{called(self._groups, seat.group, seat.index)} of shape {tuple(seat.p.shape)} has. "
                "Build the embedding with sparse=False."
            )
        return gradient.coalesce()

    def _counted(self, rule: Rule, entries: dict[Any, list[str]], p: Tensor) -> tuple[int, State]:
        """How many updates p has had, and the entries of its state that the program uses."""
        state = self._states.get(p, {})
        t = updates_of(state)
        names = entries.get(p.shape)
        if names is not None and all(name in state for name in names):
            return t, {name: state[name] for name in names}
        first = first_state(rule, p)
        entries[p.shape] = list(first)
        if not rule.core().torch_step and any(name not in state for name in first):
            t = 0
        return t, {name: state.get(name, x) for name, x in first.items()}


def _spelled(rule: Rule) -> str:
    name = type(rule).__name__
    return f"{name}({_spelled(rule.rule)})" if isinstance(rule, Wrapper) else name

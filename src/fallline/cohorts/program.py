"""One step of all members of a cohort as a function of tensors, which it changes in place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad_and_value

from fallline.cohorts.draws import Noise
from fallline.cohorts.layout import Layout
from fallline.cohorts.lent import held, with_tensors
from fallline.cohorts.mapping import over_members
from fallline.cohorts.slices import Piece, Slice
from fallline.executors import Part, Surroundings, Update
from fallline.executors.population import initial_state_of_one_member, of_one_member
from fallline.problems.objective import Objective
from fallline.rules import Rule, State
from fallline.training.dropout import KeyedDropout

Due = Callable[..., bool]


@dataclass
class Tensors:
    """All that a step reads and writes, with the axes (settings, seeds) in front, or (seeds) where settings share it.

    `weights` are buckets, `still` the parameters that are not trained and the buffers; `state` and `values` are by
    slice, then by piece and by group. `batch` is a batch per seed; `uniform` and `noise` are draws, by call of dropout
    and by `(slice, piece, call)`. `t` is the number of the update as a 0-d float64 tensor.
    """

    weights: list[Tensor]
    still: dict[str, Tensor]
    state: list[list[State]]
    values: list[list[dict[str, Tensor]]]
    t: Tensor
    batch: Any = None
    uniform: dict[int, Tensor] = field(default_factory=dict)
    noise: dict[tuple[int, int, int], Tensor] = field(default_factory=dict)

    def tree(self) -> dict[str, Any]:
        """The fields as a tree, which torch can take apart: first those that last."""
        return dict(vars(self))

    def lasting(self) -> list[Any]:
        """The fields whose tensors are the same at every step: what they hold is changed in place."""
        return [self.weights, self.still, self.state, self.values, self.t]


@dataclass
class Wanted:
    """The draws that a step asked for, and how many further gradients each slice did."""

    uniform: dict[int, torch.Size] = field(default_factory=dict)
    noise: dict[tuple[int, int, int], Noise] = field(default_factory=dict)
    gradients: dict[int, int] = field(default_factory=dict)


class Program:
    """Forward, backward and the updates of every slice."""

    def __init__(
        self, model: nn.Module, objective: Objective, layout: Layout, slices: Sequence[Slice], seeds: int
    ) -> None:
        self.model = model
        self.objective = objective
        self.layout = layout
        self.slices = slices
        self.pieces = [one.pieces(layout) for one in slices]
        self.seeds = seeds
        starts = [0]
        for one in slices:
            starts.append(starts[-1] + len(one.settings))
        self.places = [slice(start, stop) for start, stop in pairwise(starts)]

    def initial_state(self, weights: Sequence[Tensor], values: Sequence[Sequence[Mapping[str, Tensor]]]) -> Any:
        """The states of all slices before the first update."""
        return [self._initial_state(number, weights, values[number]) for number in range(len(self.slices))]

    def step(self, given: Tensors, due: Due, wanted: Wanted | None = None) -> Tensor:
        """Make one update of all members; their losses before it, (settings, seeds).

        With `wanted` draws that are missing are noted there, and zeros are used in their place.
        """
        views = self.layout.views(given.weights)
        shared = {"batch": given.batch, "uniform": given.uniform, "noise": given.noise}
        gradients, still, losses = over_members(self._backward(wanted), self.seeds)((views, given.still), shared)
        flat = self.layout.flat(gradients)
        before: Tensor = losses
        updates = []
        for number, place in enumerate(self.places):
            own = {
                "p": [piece.of([x[place] for x in given.weights], self.layout) for piece in self.pieces[number]],
                "g": [piece.of([x[place] for x in flat], self.layout) for piece in self.pieces[number]],
                "state": given.state[number],
                "values": given.values[number],
                "views": {name: x[place] for name, x in views.items()},
                "still": {name: x[place] for name, x in given.still.items()},
            }
            updates.append(over_members(self._update(number, given.t, due, wanted), self.seeds)(own, shared))
        for number, (decrements, states) in enumerate(updates):
            buckets = [x[self.places[number]] for x in given.weights]
            for piece, decrement in zip(self.pieces[number], decrements, strict=True):
                piece.of(buckets, self.layout).sub_(decrement)
            for old, new in zip(given.state[number], states, strict=True):
                for name, x in old.items():
                    x.copy_(new[name])
        for name, x in given.still.items():
            if still[name] is not x:
                x.copy_(still[name])
        return before

    def loss(
        self, parameters: Mapping[str, Tensor], still: Mapping[str, Tensor], shared: Any, wanted: Wanted | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """One member's loss on a batch, and its new buffers."""
        own = {name: x.clone() for name, x in still.items()}

        def draw(shape: torch.Size, call: int, device: torch.device) -> Tensor:
            if wanted is not None:
                wanted.uniform[call] = shape
            return shared["uniform"][call] if call in shared["uniform"] else torch.zeros(shape, device=device)

        def lossy(model: nn.Module) -> tuple[Tensor, dict[str, Tensor]]:
            # Afterwards models may have other buffers than they were given.
            return self.objective.loss(model, shared["batch"]), {name: held(model, name) for name in own}

        with KeyedDropout(draw):
            value, afterwards = with_tensors(self.model, {**parameters, **own}, lossy)
        return value.reshape(()), afterwards

    def evaluation_weights(self, given: Tensors) -> list[Tensor]:
        """The weights to evaluate every member with; those that are trained where no rule has others."""
        if not any(map(has_evaluation_point, (piece.rule for pieces in self.pieces for piece in pieces))):
            return given.weights
        moved = [x.clone() for x in given.weights]
        for number, (place, pieces) in enumerate(zip(self.places, self.pieces, strict=True)):
            for piece, state in zip(pieces, given.state[number], strict=True):
                if has_evaluation_point(piece.rule):

                    def point(own: Any, shared: Any, rule: Rule = piece.rule) -> Tensor:
                        p, state, values = own
                        there: Tensor = rule.bind(values).eval_point(p, state)
                        return there

                    p = piece.of([x[place] for x in given.weights], self.layout)
                    own = p, state, given.values[number][piece.group]
                    piece.of([x[place] for x in moved], self.layout).copy_(over_members(point, self.seeds)(own, {}))
        return moved

    def _backward(self, wanted: Wanted | None) -> Callable[[Any, Any], Any]:
        def backward(own: Any, shared: Any) -> Any:
            views, still = own
            return self._gradient(views, still, shared, wanted)

        return backward

    def _gradient(self, views: Mapping[str, Tensor], still: Mapping[str, Tensor], shared: Any, wanted: Any) -> Any:
        """One member's gradients and new buffers, and its loss."""

        def loss(parameters: Mapping[str, Tensor]) -> Any:
            return self.loss(parameters, still, shared, wanted)

        gradients, (value, own) = grad_and_value(loss, has_aux=True)(dict(views))
        return gradients, own, value.detach()

    def _update(self, number: int, t: Tensor, due: Due, wanted: Wanted | None) -> Callable[[Any, Any], Any]:
        pieces = self.pieces[number]
        parts_of = _by_rule(pieces)

        def update(own: Any, shared: Any) -> Any:
            def noise(p: Tensor, position: int, call: int) -> Tensor:
                key = number, position, call
                if wanted is not None:
                    names = pieces[position].names(self.layout)
                    shapes = tuple((name, self.layout.slots[name].shape) for name in names)
                    wanted.noise[key] = Noise(shapes, call, p.dtype)
                return shared["noise"][key].view(p.shape) if key in shared["noise"] else torch.zeros_like(p)

            def gradient(points: Sequence[tuple[int, Tensor]]) -> list[Tensor]:
                if wanted is not None:
                    wanted.gradients[number] = wanted.gradients.get(number, 0) + 1
                views = self._with(own["views"], points, pieces)
                found = self._gradient(views, own["still"], shared, None)[0]
                flat = self.layout.flat(found)
                return [pieces[position].of(flat, self.layout) for position, _ in points]

            around = _Surroundings(0, noise, gradient, due)
            parts = [
                Part(
                    pieces[chosen[0]].rule,
                    [own["p"][i] for i in chosen],
                    [own["g"][i] for i in chosen],
                    [own["state"][i] for i in chosen],
                    [own["values"][pieces[i].group] for i in chosen],
                    [t] * len(chosen),  # type: ignore[list-item]
                    list(chosen),
                )
                for chosen in parts_of
            ]
            return _in_order(len(pieces), parts, of_one_member(parts, around))

        return update

    def _with(
        self, views: Mapping[str, Tensor], points: Sequence[tuple[int, Tensor]], pieces: Sequence[Piece]
    ) -> dict[str, Tensor]:
        moved = dict(views)
        for position, x in points:
            start = 0
            for name in pieces[position].names(self.layout):
                shape = self.layout.slots[name].shape
                moved[name] = x.reshape(-1)[start : start + shape.numel()].view(shape)
                start += shape.numel()
        return moved

    def _initial_state(
        self, number: int, weights: Sequence[Tensor], values: Sequence[Mapping[str, Tensor]]
    ) -> list[State]:
        pieces = self.pieces[number]

        def one(own: Any, shared: Any) -> Any:
            return [
                initial_state_of_one_member(piece.rule, own[1][piece.group], p)
                for piece, p in zip(pieces, own[0], strict=True)
            ]

        place = self.places[number]
        own = [piece.of([x[place] for x in weights], self.layout) for piece in pieces], [dict(v) for v in values]
        states: list[State] = over_members(one, self.seeds)(own, {})
        return [{name: x.clone(memory_format=torch.contiguous_format) for name, x in one.items()} for one in states]


def has_evaluation_point(rule: Rule) -> bool:
    """Whether a rule has its models evaluated elsewhere than where it trains them."""
    p = torch.zeros([2] * max(min(rule.ranks), 1))
    return rule.eval_point(p, rule.init(p)) is not p


@dataclass(frozen=True)
class _Surroundings(Surroundings):
    """Whose answer to what is due comes from outside."""

    answer: Due = Surroundings.due

    def due(self, k: int, first: int = 1) -> bool:
        return self.answer(k, first)


def _by_rule(pieces: Sequence[Piece]) -> list[list[int]]:
    """The places of pieces that share a program."""
    found: dict[Any, list[int]] = {}
    for place, piece in enumerate(pieces):
        found.setdefault(piece.rule.program(), []).append(place)
    return list(found.values())


def _in_order(count: int, parts: Sequence[Part], updates: Sequence[Update]) -> tuple[list[Tensor], list[State]]:
    decrements: dict[int, Tensor] = {}
    states: dict[int, State] = {}
    for part, update in zip(parts, updates, strict=True):
        for place, decrement, state in zip(part.position, update.decrement, update.state, strict=True):
            decrements[place], states[place] = decrement, state
    return [decrements[i] for i in range(count)], [states[i] for i in range(count)]

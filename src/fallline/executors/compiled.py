"""The formula through torch's compiler: one read and one write of each number, in place.

One kernel serves all parameters of a kind, whatever their sizes. Hyperparameters and t enter it as 0-d tensors, so
that a schedule compiles nothing; what depends on them alone is computed once a step.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.executors.each import Each, per_item
from fallline.executors.kernels import LARGE, Backend, Kernel, Kernels, inductor, uncompiled
from fallline.executors.layout import Layout, layout_of
from fallline.executors.part import Part, Surroundings
from fallline.executors.questions import run
from fallline.executors.trial import refusal
from fallline.rules import Now, Rule, State
from fallline.rules.now import Due

_SHAPES = 4
"""How many shapes of matrices are compiled for a rule; those that follow run the captured operations one by one."""


class Compiled:
    """An executor that compiles with a backend, and keeps what it compiled.

    Raises InputError for a rule whose formula comes out different when it is captured as a graph.
    """

    def __init__(self, backend: Backend = inductor) -> None:
        self._backend = backend
        self._kernels: dict[Any, Kernels] = {}
        self._one_at_a_time = threading.RLock()

    def __call__(self, parts: Sequence[Part], around: Surroundings) -> None:
        """Make the step of all parts in place."""
        pieces = [part.only(chosen) for part in parts for chosen in part.pieces()]
        with torch.no_grad():
            # What is written could still be asked about, so all questions come first.
            for last in run(self._up_to_the_last, pieces, [None] * len(pieces), around):
                last.write()

    def _up_to_the_last(self, piece: Part, now: Now) -> "_Stage":
        """Run the stages that ask, and hand out the one that writes."""
        bundles = self._bundles(piece)
        answers: list[list[Tensor]] = [[] for _ in bundles]
        while True:
            stage = _Stage(bundles, answers, now.due)
            if stage.asks is None:
                return stage
            replies = per_item(getattr(now, stage.asks)(stage.about()), len(bundles))
            for bundle, known, reply in zip(bundles, answers, replies, strict=True):
                known.append(reply if stage.asks == "total" else bundle.layout.lend(reply))

    def _bundles(self, piece: Part) -> list["_Bundle"]:
        program, numbers = piece.rule.program(), _Numbers(piece.rule)
        flat, threads = piece.rule.acts_on != "matrix", torch.get_num_threads()
        bundles = []
        for p, g, state, values, t in zip(piece.p, piece.g, piece.state, piece.values, piece.t, strict=True):
            types = (p.dtype, g.dtype, p.device, *(entry.dtype for entry in state.values()))
            size = (p.numel() > 0, p.numel() >= LARGE) if flat else p.shape
            key = (program, types, tuple(state), size, threads)
            kernels = self._kernels.get(key)
            if kernels is None:
                with self._one_at_a_time:
                    kernels = self._kernels[key] = self._new(piece.rule, p, g, state)
            bundles.append(_Bundle(kernels, layout_of(p, flat), p.detach(), g, state, numbers.of(values, t)))
        return bundles

    def _new(self, rule: Rule, p: Tensor, g: Tensor, state: State) -> Kernels:
        if self._backend is not uncompiled and (why := cannot_capture(rule)):
            raise InputError(
                f"{type(rule.core()).__name__} cannot be compiled: {why}. Write its step with torch functions and "
                "operators alone, without `math`, `if` or in-place operations on p, g, state, t and floats, say what "
                "it acts on (`acts_on`), or choose executor='foreach'."
            )
        flat = rule.acts_on != "matrix"
        others = sum(program == rule.program() for program, *_ in self._kernels)
        backend = self._backend if p.numel() and (flat or others < _SHAPES) else uncompiled
        return Kernels(rule, p, g, state, flat, backend)


def cannot_capture(rule: Rule) -> str | None:
    """Why a rule's formula cannot be captured as a graph, None where it can."""
    return refusal(rule, Compiled(uncompiled))


class _Numbers:
    """The hyperparameters and t of parameters as tensors, made once for those that share them."""

    def __init__(self, rule: Rule) -> None:
        self._names = list(rule.floats())
        self._made: dict[tuple[int, int], tuple[Tensor, ...]] = {}

    def of(self, values: Mapping[str, Any], t: int) -> tuple[Tensor, ...]:
        key = id(values), t
        if key not in self._made:
            numbers = (*(values[name] for name in self._names), t)
            self._made[key] = tuple(torch.as_tensor(x, dtype=torch.float64, device="cpu") for x in numbers)
        return self._made[key]


@dataclass(frozen=True)
class _Bundle:
    """One parameter with all that a kernel needs to step it."""

    kernels: Kernels
    layout: Layout
    p: Tensor
    g: Tensor
    state: State
    numbers: tuple[Tensor, ...]

    def lent(self) -> list[Tensor]:
        """The parameter, its gradient and its state as kernels take them."""
        shaped = self.kernels.shaped
        entries = [self.layout.lend(x) if name in shaped else x.contiguous() for name, x in self.state.items()]
        return [self.layout.lend(self.p), self.layout.lend(self.g), *entries]

    def copies(self, lent: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """What was lent as a copy, because it lies otherwise in memory: its own, and the copy."""
        own = (self.p, self.g, *self.state.values())
        return [(x, y) for x, y in zip(own, lent, strict=True) if x.data_ptr() != y.data_ptr()]

    def give_back(self, copies: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Take over what a kernel wrote into copies; it writes into no gradient."""
        for x, copy in copies:
            if x is not self.g:
                x.copy_(self.layout.shaped(copy, x))


class _Stage:
    """The next stage of every parameter's step."""

    def __init__(self, bundles: Sequence[_Bundle], answers: Sequence[Sequence[Tensor]], due: Due) -> None:
        self._bundles = bundles
        self._answers = answers
        self._kernels = [bundle.kernels.after(known, due) for bundle, known in zip(bundles, answers, strict=True)]
        self._scalars: dict[Any, Sequence[Tensor]] = {}
        self.asks = self._kernels[0].asks

    def about(self) -> Each:
        """What the stages ask about, in the parameters' shapes."""
        if self.asks == "noise":
            return Each(bundle.p for bundle in self._bundles)
        calls = [(kernel.elements, self._arguments(i, b.lent())) for i, (kernel, b) in enumerate(self._both())]
        found = [elements(*arguments)[0] for elements, arguments in calls]
        if self.asks == "total":
            return Each(found)
        return Each(b.layout.shaped(x, b.p) for b, x in zip(self._bundles, found, strict=True))

    def write(self) -> None:
        """Run the last stages: the step is made."""
        calls = []
        for i, (kernel, bundle) in enumerate(self._both()):
            lent = bundle.lent()
            arguments = self._arguments(i, lent)
            if copies := bundle.copies(lent):
                # One at a time, so that never more than one parameter is there twice.
                kernel.elements(*arguments)
                bundle.give_back(copies)
            else:
                calls.append((kernel.elements, arguments))
        # Without a pause between them, in which other threads would fall asleep.
        for elements, arguments in calls:
            elements(*arguments)

    def _both(self) -> Iterable[tuple[Kernel, _Bundle]]:
        return zip(self._kernels, self._bundles, strict=True)

    def _arguments(self, i: int, lent: Sequence[Tensor]) -> Sequence[Tensor]:
        kernel, known, numbers = self._kernels[i], self._answers[i], self._bundles[i].numbers
        whole = [answer for answer in known if answer.dim()]
        key = (id(kernel), id(numbers), *(id(answer) for answer in known if not answer.dim()))
        if key not in self._scalars:
            self._scalars[key] = kernel.scalars(*known, *numbers)
        return *lent, *whole, *self._scalars[key]

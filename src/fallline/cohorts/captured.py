"""A program's step as graphs, captured once for each form that it takes."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.fx import GraphModule
from torch.utils._pytree import tree_leaves

from fallline.cohorts.draws import Draws
from fallline.cohorts.graph import graph_of_step
from fallline.cohorts.memory import most_bytes
from fallline.cohorts.numbers import set_apart
from fallline.cohorts.program import Program, Tensors, Wanted
from fallline.cohorts.reasons import mapping
from fallline.cohorts.streams import Batch
from fallline.executors.kernels import Backend, uncompiled

Shapes = tuple[tuple[int, ...], ...]
"""The shapes of the tensors in a batch."""


@dataclass
class Form:
    """A captured step: for batches of one shape, and for what was due when it was captured. `taken` counts how often it
    was taken.
    """

    due: dict[tuple[int, int], bool]
    wanted: Wanted
    run: Callable[..., Tensor]
    taken: int = 0


class Captured:
    """Steps a program through its graphs. `backend` makes a graph callable; batches of other shapes than `whole`, by
    default the first, such as an epoch's last, run operation by operation.
    """

    def __init__(self, program: Program, draws: Draws, backend: Backend, whole: Shapes | None = None) -> None:
        self.program = program
        self._draws = draws
        self._backend = backend
        self.whole = whole
        self._forms: dict[Any, list[Form]] = {}
        self._lasting: list[Tensor] | None = None
        self.most_bytes = 0
        """The most bytes that a captured step holds beside its inputs."""
        self.preparing = 0.0
        """Seconds that captures and compilations took."""

    def step(self, given: Tensors, batch: Batch, number: int) -> Tensor:
        """Make the step with this number on a batch; the losses before it, (settings, seeds)."""
        form = self._form(given, batch, number)
        form.taken += 1
        if self._lasting is None:
            self._lasting = tree_leaves(given.lasting())
        if not (form.wanted.uniform or form.wanted.noise):
            return form.run(*self._lasting, *batch.leaves)
        given.uniform = {call: self._draws.uniform(call, shape, number) for call, shape in form.wanted.uniform.items()}
        given.noise = {key: self._draws.noise(noise, number) for key, noise in form.wanted.noise.items()}
        return form.run(*self._lasting, *batch.leaves, *tree_leaves([given.uniform, given.noise]))

    def counted(self) -> list[int]:
        """For each slice how many gradients were evaluated in the steps since this was asked the last time."""
        forms = [form for alike in self._forms.values() for form in alike]
        slices = range(len(self.program.slices))
        counts = [sum(form.taken * (1 + form.wanted.gradients.get(number, 0)) for form in forms) for number in slices]
        for form in forms:
            form.taken = 0
        return counts

    def _form(self, given: Tensors, batch: Batch, number: int) -> Form:
        shapes = tuple(x.shape for x in batch.leaves)
        self.whole = self.whole or shapes
        alike = self._forms.setdefault(shapes, [])
        for form in alike:
            if all(_due(number, k, first) == then for (k, first), then in form.due.items()):
                return form
        began = time.perf_counter()
        given.batch = batch.tree()
        with mapping():
            form = self._capture(given, number, compiled=shapes == self.whole)
        self.preparing += time.perf_counter() - began
        alike.append(form)
        return form

    def _capture(self, given: Tensors, number: int, compiled: bool) -> Form:
        asked: dict[tuple[int, int], bool] = {}
        wanted = Wanted()

        def due(k: int, first: int = 1) -> bool:
            asked[k, first] = _due(number, k, first)
            return asked[k, first]

        given.uniform, given.noise = {}, {}
        graph = graph_of_step(self.program, given, due, wanted)
        if wanted.uniform or wanted.noise:
            given.uniform = {call: self._draws.uniform(call, shape, number) for call, shape in wanted.uniform.items()}
            given.noise = {key: self._draws.noise(noise, number) for key, noise in wanted.noise.items()}
            graph = graph_of_step(self.program, given, due, None)
        self.most_bytes = max(self.most_bytes, most_bytes(graph))
        run = self._made_callable(graph, given) if compiled and self._backend is not uncompiled else graph
        return Form(asked, wanted, _first(run))

    def _made_callable(self, graph: GraphModule, given: Tensors) -> Callable[..., Any]:
        before = len(tree_leaves([given.weights, given.still, given.state]))
        numbers = range(before, before + len(tree_leaves([given.values, given.t])))
        parts = set_apart(graph, numbers)
        for name, part in list(parts.named_children()):
            assert isinstance(part, GraphModule)
            examples = [node.meta["val"] for node in part.graph.nodes if node.op == "placeholder"]
            # What is called in its place is no module.
            delattr(parts, name)
            setattr(parts, name, self._backend(part, examples, True))
        run: Callable[..., Any] = parts.forward
        return run


def _first(run: Callable[..., Iterable[Tensor]]) -> Callable[..., Tensor]:
    return lambda *leaves: next(iter(run(*leaves)))


def _due(number: int, k: int, first: int) -> bool:
    return number >= first and (number - first) % k == 0

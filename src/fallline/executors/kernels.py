"""The compiled stages of a rule's step for one kind of parameter, made when they are first needed."""

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from fallline.executors.capture import Question, capture
from fallline.executors.direct import direct
from fallline.rules import Rule, State

_PROBES = (torch.Size([3]), torch.Size([5]))
_SMALL_EXAMPLE = torch.Size([64])
_LARGE_EXAMPLE = torch.Size([1 << 20])
LARGE = 1 << 15
"""From how many elements on a parameter has the kernel of large ones, which uses all threads."""
_COMPILING = threading.RLock()
"""torch compiles in one thread at a time."""
_ONE_THREAD = {"cpp.threads": 1}
_NO_ASSERTIONS = {"size_asserts": False, "alignment_asserts": False}
_FUSING: tuple[dict[str, int], ...] = ({}, {"max_fusion_size": 4})
"""Ways to compile, the next where torch's compiler fails: where it fuses sums over rows with what is written in place
it does for some formulas (2.13 raises KeyError for Lion with centralised gradients), and must fuse fewer operations."""
Backend = Callable[[GraphModule, Sequence[Tensor], bool], Callable[..., Any]]
"""Makes a graph callable, given its inputs and whether its tensors are large enough for all threads."""


def inductor(
    graph: GraphModule, examples: Sequence[Tensor], all_threads: bool, vouched: bool = False
) -> Callable[..., Any]:
    """torch's compiler, without guards: the caller vouches for types and ranks, and sizes are free. A graph that it
    fails on is called as it is, operation by operation. Where it is `vouched` that inputs are laid out as the examples
    and never share memory or need gradients, nothing of that is looked at when it is called.
    """
    if not examples or not can_compile(examples[0].device):
        return graph
    # Imported here because it takes seconds.
    from torch._inductor.exc import InductorError

    with warnings.catch_warnings():
        # torch warns of its own parts when it imports them.
        warnings.simplefilter("ignore")
        for fusing in _FUSING:
            patches = {**fusing, **({} if all_threads else _ONE_THREAD), **(_NO_ASSERTIONS if vouched else {})}
            try:
                compiled: Callable[..., Any] = torch._inductor.standalone_compile(
                    graph, list(examples), options={"config_patches": patches}
                )
                return direct(compiled) if vouched else compiled
            except InductorError as error:
                failure = str(error).strip().partition("\n")[0]
    warnings.warn(
        f"torch's compiler fails on a part of this optimizer's step, which runs uncompiled: {failure}", stacklevel=2
    )
    return graph


@cache
def can_compile(device: torch.device) -> bool:
    """Whether this machine has what torch compiles with; says so once where it has not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            one = torch.zeros(2, device=device)
            torch._inductor.standalone_compile(make_fx(torch.neg)(one), [one])(one)
    except Exception as error:
        # A machine without a compiler trains as well, only slower.
        warnings.warn(
            f"torch cannot compile for {device.type} here, so optimizers run uncompiled: {type(error).__name__}: "
            f"{str(error).strip().partition(chr(10))[0]} Install a compiler (g++; on a GPU triton too), or silence "
            "this with executor='foreach'.",
            stacklevel=2,
        )
        return False
    return True


def uncompiled(graph: GraphModule, examples: Sequence[Tensor], all_threads: bool) -> Callable[..., Any]:
    """The captured graph as it is, operation by operation."""
    return graph


@dataclass(frozen=True)
class Kernel:
    """A stage that can be called; the words are those of `capture.Stage`."""

    asks: Question | None
    scalars: Callable[..., Sequence[Tensor]]
    elements: Callable[..., Sequence[Tensor]]


class Kernels:
    """The stages of a rule for parameters of one kind: of any size where the rule does not see matrices."""

    def __init__(self, rule: Rule, p: Tensor, g: Tensor, state: State, any_size: bool, backend: Backend) -> None:
        self._rule = rule
        self._any_size = any_size
        self._backend = backend
        # What has the parameter's shape is told apart from numbers on a parameter that could not be one.
        probes = [(size, rule.init(p.new_zeros(size))) for size in _PROBES] if any_size else []
        self.shaped = frozenset(
            name for name in state if any_size and all(entries[name].shape == size for size, entries in probes)
        )
        if any_size:
            # The compiler deals work out to threads if the example is large.
            size = _LARGE_EXAMPLE if p.numel() >= LARGE else _SMALL_EXAMPLE
            p, g = p.new_empty(size), g.new_empty(size)
            state = {n: x.new_empty(size) if n in self.shaped else torch.ones_like(x) for n, x in state.items()}
        entries = {name: x.contiguous() for name, x in state.items()}
        self._example = p.detach().contiguous(), g.contiguous(), entries
        self._made: dict[Any, list[tuple[dict[tuple[int, int], bool], Kernel]]] = {}

    def after(self, answers: Sequence[Tensor], due: Callable[..., bool]) -> Kernel:
        """The stage that follows these answers, among those made for what is due now."""
        alike = self._made.setdefault(tuple((answer.dtype, answer.dim()) for answer in answers), [])
        for asked, kernel in alike:
            if all(due(k, first) == then for (k, first), then in asked.items()):
                return kernel
        with _COMPILING:
            made = self._make(answers, due)
        alike.append(made)
        return made[1]

    def _make(self, answers: Sequence[Tensor], due: Callable[..., bool]) -> tuple[dict[tuple[int, int], bool], Kernel]:
        asked: dict[tuple[int, int], bool] = {}

        def recorded(k: int, first: int = 1) -> bool:
            asked[k, first] = due(k, first)
            return asked[k, first]

        p, g, state = self._example
        examples = [torch.empty_like(p, dtype=a.dtype) if a.dim() else torch.ones_like(a) for a in answers]
        stage = capture(self._rule, p, g, state, examples, recorded, self._any_size)
        inputs = [node.meta["val"] for node in stage.elements.graph.nodes if node.op == "placeholder"]
        backend = uncompiled if stage.asks == "noise" else self._backend
        elements = backend(stage.elements, inputs, p.numel() >= LARGE)
        return asked, Kernel(stage.asks, stage.scalars, elements)

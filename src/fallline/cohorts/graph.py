"""A program's step as a graph, which depends on nothing but what it is given."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import is_fake
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

from fallline.cohorts.outside import nothing_outside
from fallline.cohorts.program import Due, Program, Tensors, Wanted
from fallline.cohorts.reasons import CannotMap


def graph_of_step(program: Program, given: Tensors, due: Due, wanted: Wanted | None) -> GraphModule:
    """The step on tensors like those given, as a graph of the leaves of their tree. Tensors that belong to nobody's
    parameters or buffers, such as the weights of classes, are constants. Raises CannotMap where the step depends on
    what is kept elsewhere from one step to the next.
    """
    leaves, structure = tree_flatten(given.tree())

    def step(*leaves: Tensor) -> list[Tensor]:
        return [program.step(Tensors(**tree_unflatten(leaves, structure)), due, wanted)]

    def captured() -> GraphModule:
        return make_fx(step, tracing_mode="fake", _allow_non_fake_inputs=True)(*leaves)

    with torch.no_grad():
        with nothing_outside(program.model, program.objective.function) as assigned:
            graph = captured()
        if assigned and not _same(graph, captured):
            raise CannotMap(f"it keeps {assigned[0]} from one step to the next, which is neither parameter nor buffer")
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _same(graph: GraphModule, captured: Callable[[], GraphModule]) -> bool:
    """Whether another capture, behind the first, gives the same graph of the same constants."""
    try:
        other = captured()
    except Exception:
        # What the first has left behind is of use to nothing else.
        return False
    mine, others = _constants(graph), _constants(other)
    return graph.code == other.code and all(_equal(x, others[name]) for name, x in mine.items())


def _constants(graph: GraphModule) -> dict[str, Tensor]:
    return {node.target: getattr(graph, node.target) for node in graph.graph.nodes if node.op == "get_attr"}


def _equal(a: Tensor, b: Tensor) -> bool:
    return a is b or (not is_fake(a) and not is_fake(b) and torch.equal(a, b))

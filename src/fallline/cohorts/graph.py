"""A program's step as a graph, which depends on nothing but what it is given."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import is_fake
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from fallline.cohorts.outside import nothing_outside
from fallline.cohorts.program import Due, Program, Tensors, Wanted
from fallline.cohorts.reasons import CannotMap


def graph_of_step(program: Program, given: Tensors, due: Due, wanted: Wanted | None) -> GraphModule:
    """The step on tensors like those given, as a graph of the leaves of their tree. Tensors that belong to nobody's
    parameters or buffers, such as the weights of classes, are constants.

    Raises CannotMap where a model or loss keeps something else from one step to the next: where its loss is another
    formula behind the capture than before it, or a number of its own has changed that the formula may depend on.
    """
    leaves, structure = tree_flatten(given.tree())

    def step(*leaves: Tensor) -> list[Tensor]:
        return [program.step(Tensors(**tree_unflatten(leaves, structure)), due, wanted)]

    _loss(program, given, lambda function: function)
    with torch.no_grad(), nothing_outside(program.model, program.objective.function) as assigned:
        before = _loss(program, given, _captured)
        graph = _captured(step)(*leaves)
        try:
            after = _loss(program, given, _captured)
        except Exception:
            # What the capture has left behind is of use to nothing else.
            after = None
    if after is None or any(map(is_fake, _constants(graph).values())) or not _same(before, after):
        whose = f"it keeps {assigned[0]}" if assigned else "it or its loss keeps something"
        raise CannotMap(f"{whose} from one step to the next, which is neither parameter nor buffer")
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


def _captured(function: Callable[..., Any]) -> Callable[..., GraphModule]:
    return make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)


def _loss(program: Program, given: Tensors, how: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    """The loss of the first member, computed or captured."""
    one = tree_map(lambda x: x[0, 0], [program.layout.views(given.weights), given.still])
    batch = tree_map(lambda x: x[0] if isinstance(x, Tensor) else x, given.batch)

    def loss(parameters: Any, still: Any, batch: Any) -> Tensor:
        return program.loss(parameters, still, {"batch": batch, "uniform": {}})[0]

    # As within a gradient; none is taken.
    with torch.enable_grad():
        return how(loss)(*one, batch)


def _same(a: GraphModule, b: GraphModule) -> bool:
    """Whether two graphs are the same operations on the same constants, all of which are known."""
    mine, others = _constants(a), _constants(b)
    return a.code == b.code and all(_equal(x, others[name]) for name, x in mine.items())


def _constants(graph: GraphModule) -> dict[str, Tensor]:
    return {node.target: getattr(graph, node.target) for node in graph.graph.nodes if node.op == "get_attr"}


def _equal(a: Tensor, b: Tensor) -> bool:
    return not is_fake(a) and not is_fake(b) and (a is b or torch.equal(a, b))

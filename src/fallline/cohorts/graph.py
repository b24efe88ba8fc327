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
from fallline.cohorts.put_back import put_back
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

    function = program.objective.function
    with put_back(program.model, function):
        _refuse_parameters_of_some_batches(program, given)
        with torch.no_grad(), nothing_outside(program.model, function) as assigned:
            before = _captured_loss(program, given)
            graph = _captured(step)(*leaves)
            try:
                after = _captured_loss(program, given)
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


def _refuse_parameters_of_some_batches(program: Program, given: Tensors) -> None:
    """Raises CannotMap where another set of parameters has gradients on this batch than is trained. An optimizer skips
    a parameter without one, and its momentum rests; a program always updates the same parameters.
    """

    def found(loss: Callable[..., Tensor], parameters: Any, still: Any, batch: Any) -> Any:
        trained = {name: x.detach().requires_grad_() for name, x in parameters.items()}
        model = dict(program.model.named_parameters())
        others = {name: x.detach() for name, x in still.items()}
        idle = {name: others[name].requires_grad_() for name, p in model.items() if name in others and p.requires_grad}
        gradients = torch.autograd.grad(
            loss(trained, others, batch), [*trained.values(), *idle.values()], allow_unused=True
        )
        return {name for name, x in zip([*trained, *idle], gradients, strict=True) if x is not None} ^ {*trained}

    if names := _of_the_first_member(program, given, found):
        raise CannotMap(f"it uses {min(names)} in some batches and not in others")


def _captured_loss(program: Program, given: Tensors) -> GraphModule:
    """The loss of the first member."""
    found: GraphModule = _of_the_first_member(program, given, lambda loss, *inputs: _captured(loss)(*inputs))
    return found


def _of_the_first_member(program: Program, given: Tensors, found: Callable[..., Any]) -> Any:
    one = tree_map(lambda x: x[0, 0], [program.layout.views(given.weights), given.still])
    batch = tree_map(lambda x: x[0] if isinstance(x, Tensor) else x, given.batch)

    def loss(parameters: Any, still: Any, batch: Any) -> Tensor:
        return program.loss(parameters, still, {"batch": batch, "uniform": {}})[0]

    # As within a gradient, also where none is taken.
    with torch.enable_grad():
        return found(loss, *one, batch)


def _same(a: GraphModule, b: GraphModule) -> bool:
    """Whether two graphs are the same operations on the same constants, all of which are known."""
    mine, others = _constants(a), _constants(b)
    return a.code == b.code and all(_equal(x, others[name]) for name, x in mine.items())


def _constants(graph: GraphModule) -> dict[str, Tensor]:
    return {node.target: getattr(graph, node.target) for node in graph.graph.nodes if node.op == "get_attr"}


def _equal(a: Tensor, b: Tensor) -> bool:
    return not is_fake(a) and not is_fake(b) and (a is b or torch.equal(a, b))

"""A program's step as a graph, which depends on nothing but what it is given."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from fallline.cohorts.capture import captured, is_known, same_formula
from fallline.cohorts.lent import with_tensors
from fallline.cohorts.outside import nothing_outside
from fallline.cohorts.program import Due, Program, Tensors, Wanted
from fallline.cohorts.put_back import put_back
from fallline.cohorts.reasons import CannotMap
from fallline.modes import modes_kept


def graph_of_step(program: Program, given: Tensors, due: Due, wanted: Wanted | None) -> GraphModule:
    """The step on tensors like those given, as a graph of the leaves of their tree. Tensors that belong to nobody's
    parameters or buffers, such as the weights of classes, are constants.

    Raises CannotMap where a model, loss or metric keeps something else from one step to the next, or for an evaluation:
    where its formula is another behind the capture than before it, or a number of its own has changed that the
    formula may depend on.
    """
    leaves, structure = tree_flatten(given.tree())

    def step(*leaves: Tensor) -> list[Tensor]:
        return [program.step(Tensors(**tree_unflatten(leaves, structure)), due, wanted)]

    functions = program.objective.functions
    with put_back(program.model, *functions.values()):
        _refuse_parameters_of_some_batches(program, given)
        with torch.no_grad(), nothing_outside(program.model, functions) as assigned:
            before = _evaluation(program, given), _loss(program, given)
            graph = captured(step)(*leaves)
            try:
                after = _loss(program, given), _evaluation(program, given)
            except Exception:
                # What the capture has left behind is of use to nothing else.
                after = None
    if after is None or not is_known(graph) or not all(map(same_formula, before, reversed(after))):
        whose = f"it keeps {assigned[0]}" if assigned else "it or its loss keeps something"
        raise CannotMap(f"{whose} from one step to the next, which is neither parameter nor buffer")
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph


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


def _loss(program: Program, given: Tensors) -> GraphModule:
    """The loss of the first member."""
    found: GraphModule = _of_the_first_member(program, given, lambda loss, *inputs: captured(loss)(*inputs))
    return found


def _evaluation(program: Program, given: Tensors) -> GraphModule:
    """What is measured of the first member, on a batch that it trains on."""

    def measured(parameters: Any, still: Any, batch: Any) -> list[Any]:
        tensors = {**parameters, **{name: x.clone() for name, x in still.items()}}
        return with_tensors(program.model, tensors, lambda model: program.objective.measure(model, batch))  # type: ignore[no-any-return]

    with modes_kept(program.model):
        program.model.eval()
        return captured(measured)(*_first_member(program, given))


def _of_the_first_member(program: Program, given: Tensors, found: Callable[..., Any]) -> Any:
    """What is found of the loss as a function of parameters, what is not trained and a batch, on those given."""

    def loss(parameters: Any, still: Any, batch: Any) -> Tensor:
        return program.loss(parameters, still, {"batch": batch, "uniform": {}})[0]

    # As within a gradient, also where none is taken.
    with torch.enable_grad():
        return found(loss, *_first_member(program, given))


def _first_member(program: Program, given: Tensors) -> list[Any]:
    own = tree_map(lambda x: x[0, 0], [program.layout.views(given.weights), given.still])
    return [*own, tree_map(lambda x: x[0] if isinstance(x, Tensor) else x, given.batch)]

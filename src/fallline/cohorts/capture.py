"""What a function of tensors computes, as a graph, and whether two graphs compute the same."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import is_fake
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx


def captured(function: Callable[..., Any]) -> Callable[..., GraphModule]:
    """A function that gives the graph of another on inputs like its own, whose values do not matter. Other tensors that
    it uses are constants of the graph.
    """
    return make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)


def same_formula(a: GraphModule, b: GraphModule) -> bool:
    """Whether two graphs are the same operations on the same constants, all of which are known."""
    mine, others = _constants(a), _constants(b)
    return a.code == b.code and all(_equal(x, others[name]) for name, x in mine.items())


def is_known(graph: GraphModule) -> bool:
    """Whether all constants of a graph have values: none is a remainder of another capture."""
    return not any(map(is_fake, _constants(graph).values()))


def _constants(graph: GraphModule) -> dict[str, Tensor]:
    return {node.target: getattr(graph, node.target) for node in graph.graph.nodes if node.op == "get_attr"}


def _equal(a: Tensor, b: Tensor) -> bool:
    return not is_fake(a) and not is_fake(b) and (a is b or torch.equal(a, b))

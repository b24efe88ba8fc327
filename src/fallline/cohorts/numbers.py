"""What a captured step computes from hyperparameters and the step's number alone, apart from what it does to tensors.

A compiler that fuses such a number into the loop over a member's weights computes it anew for every few of them: for
Adam two powers in double precision, a third of the step of a network of 159,010 weights at batch size 1.
"""

from collections.abc import Collection

import torch
from torch.fx import GraphModule, Node
from torch.fx.passes.split_module import split_module

_VIEWS = frozenset({torch.ops.aten.expand.default, torch.ops.aten.unsqueeze.default, torch.ops.aten.view.default})


def set_apart(graph: GraphModule, places: Collection[int]) -> GraphModule:
    """The graph in parts that call each other: what depends on the inputs at these places alone, and the rest."""
    inputs = [node for node in graph.graph.nodes if node.op == "placeholder"]
    known = {inputs[place] for place in places}
    apart: set[Node] = set()
    for node in graph.graph.nodes:
        if node.op == "call_function" and node.all_input_nodes and known.issuperset(node.all_input_nodes):
            known.add(node)
            apart.add(node)
    for node in reversed(graph.graph.nodes):
        # A view costs nothing where it is used; as a result it would be written out.
        if node in apart and node.target in _VIEWS and apart.isdisjoint(node.users):
            apart.remove(node)
    return split_module(graph, torch.nn.Module(), lambda node: int(node not in apart))

"""How much memory a captured program needs, reckoned before it runs."""

from torch import Tensor
from torch.fx import GraphModule, Node


def most_bytes(graph: GraphModule) -> int:
    """The most bytes that results of a graph's operations hold at one time, its inputs left out.

    A result is held until its last use; what only looks at another's memory holds that.
    """
    last: dict[int, Node] = {}
    size: dict[int, int] = {}
    given = {key for node in graph.graph.nodes if node.op == "placeholder" for key, _ in _held(node)}
    for node in graph.graph.nodes:
        for other in (node, *node.all_input_nodes):
            for key, nbytes in _held(other):
                if key not in given:
                    last[key], size[key] = node, nbytes
    ending: dict[Node, list[int]] = {}
    for key, node in last.items():
        ending.setdefault(node, []).append(key)
    most = now = 0
    begun: set[int] = set()
    for node in graph.graph.nodes:
        for key, nbytes in _held(node):
            if key in size and key not in begun:
                begun.add(key)
                now += nbytes
        most = max(most, now)
        now -= sum(size[key] for key in ending.get(node, ()))
    return most


def _held(node: Node) -> list[tuple[int, int]]:
    value = node.meta.get("val")
    values = value if isinstance(value, list | tuple) else [value]
    storages = [x.untyped_storage() for x in values if isinstance(x, Tensor)]
    return [(storage._cdata, storage.nbytes()) for storage in storages]

"""A rule's step as a graph of torch operations: captured once on one tensor, run for tensors of any size.

A step that asks a question about the whole model is captured in stages. Each stage runs the formula from its
beginning up to the first question without an answer, and gives what the question is about; the last stage has all
answers and changes the parameter and its state in place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from fallline.executors.reference import check_result, unpacked
from fallline.rules import Now, Rule, State

aten = torch.ops.aten
Question = Literal["total", "noise", "gradient"]


@dataclass(frozen=True)
class Stage:
    """A captured part of a step.

    `scalars(answers and hyperparameters)` computes once what no element enters, `elements(p, g, state entries, answers,
    scalars)` does the rest. `asks` is the question at its end, None for the last stage.
    """

    asks: Question | None
    scalars: GraphModule
    elements: GraphModule


class _Asked(Exception):
    def __init__(self, question: Question, about: Tensor) -> None:
        self.question = question
        self.about = about


def capture(
    rule: Rule,
    p: Tensor,
    g: Tensor,
    state: State,
    answers: Sequence[Tensor],
    due: Callable[..., bool],
    any_size: bool,
) -> Stage:
    """The stage of a step that follows the given answers, for tensors like the examples; of any size if asked."""
    floats, names = list(rule.floats()), list(state)
    asks: list[Question] = []

    def step(p: Tensor, g: Tensor, entries: list[Tensor], answers: list[Tensor], numbers: list[Tensor]) -> list[Tensor]:
        given = iter(answers)

        def ask(question: Question) -> Callable[[Tensor], Tensor]:
            def answered(about: Tensor) -> Tensor:
                answer = next(given, None)
                if answer is None:
                    raise _Asked(question, about)
                return answer

            return answered

        *values, t = numbers
        now = Now(t, total=ask("total"), noise=ask("noise"), due=due, gradient=ask("gradient"))
        bound = rule.bind(dict(zip(floats, values, strict=True)))
        try:
            decrement, new = unpacked(rule, bound.step(p, g, dict(zip(names, entries, strict=True)), now))
        except _Asked as asked:
            asks.append(asked.question)
            return [asked.about.sum() if asked.question == "total" else asked.about]
        # All values are taken before any is written: a rule may give back what it was given.
        check_result(rule, decrement, new, names)
        decrement = decrement.to(p.dtype).clone()
        written = {name: new[name].to(entry.dtype).clone() for name, entry in zip(names, entries, strict=True)}
        p.sub_(decrement)
        for name, entry in zip(names, entries, strict=True):
            entry.copy_(written[name])
        return []

    numbers = [torch.ones((), dtype=torch.float64) for _ in (*floats, "t")]
    with torch.no_grad():
        graph = make_fx(step, tracing_mode="symbolic" if any_size else "fake")(
            p, g, list(state.values()), list(answers), numbers
        )
    return Stage(asks[0] if asks else None, *_split(graph, 2 + len(names), len(answers)))


def _split(captured: GraphModule, tensors: int, answers: int) -> tuple[GraphModule, GraphModule]:
    """The part of a graph that is computed from 0-d answers and hyperparameters alone, and the rest."""
    placeholders = [node for node in captured.graph.nodes if node.op == "placeholder"]
    given = [*placeholders[tensors:]]
    whole = {node for node in given[:answers] if node.meta["val"].dim() > 0}
    scalar = {node for node in given if node not in whole}
    for node in captured.graph.nodes:
        if node.op == "call_function" and _is_scalar(node) and scalar.issuperset(node.all_input_nodes):
            scalar.add(node)
    # A total may be so small that its reciprocal overflows; hyperparameters and counts are not.
    asked = set(given[:answers])
    for node in captured.graph.nodes:
        if asked.intersection(node.all_input_nodes):
            asked.add(node)
    _multiply_instead_of_dividing(captured.graph, scalar, asked)
    crossing = [n for n in captured.graph.nodes if n in scalar and any(user not in scalar for user in n.users)]
    first, second = Graph(), Graph()
    inside: dict[Node, Node] = {}
    for node in given:
        inside[node] = first.placeholder(node.name)
    for node in captured.graph.nodes:
        if node in scalar and node.op == "call_function":
            inside[node] = first.node_copy(node, inside.__getitem__)
    narrow = [node for node in crossing if _meets_single_precision(node, [u for u in node.users if u not in scalar])]
    for node in narrow:
        inside[node] = first.call_function(aten._to_copy.default, (inside[node],), {"dtype": torch.float32})
    first.output(tuple(inside[node] for node in crossing))
    outside: dict[Node, Node] = {}
    for node in (*placeholders[:tensors], *(n for n in given if n in whole), *crossing):
        outside[node] = second.placeholder(node.name)
        outside[node].meta = dict(node.meta)
    for node in narrow:
        outside[node].meta["val"] = node.meta["val"].to(torch.float32)
    for node in captured.graph.nodes:
        if node not in scalar and node.op not in ("placeholder", "output"):
            outside[node] = second.node_copy(node, outside.__getitem__)
        elif node.op == "output":
            second.output(torch.fx.map_arg(node.args[0], outside.__getitem__))
    for graph in (first, second):
        graph.eliminate_dead_code()
    elements = GraphModule(captured, second)
    elements.shape_env = getattr(captured, "shape_env", None)
    return GraphModule(captured, first), elements


def _multiply_instead_of_dividing(graph: Graph, scalar: set[Node], asked: set[Node]) -> None:
    """A division by what is the same for all elements becomes one reciprocal: dividing is what takes the time."""
    for node in list(graph.nodes):
        if node.target is aten.div.Tensor and node not in scalar and node.args[1] in scalar - asked:
            dividend, divisor = node.args
            with graph.inserting_before(node):
                reciprocal = graph.call_function(aten.reciprocal.default, (divisor,))
                product = graph.call_function(aten.mul.Tensor, (dividend, reciprocal))
            reciprocal.meta, product.meta = dict(divisor.meta), dict(node.meta)
            scalar.add(reciprocal)
            node.replace_all_uses_with(product)
            graph.erase_node(node)


def _meets_single_precision(node: Node, users: Sequence[Node]) -> bool:
    """Whether a number only ever meets tensors that make a float32 of it: then it is one before it is read a million
    times."""
    return node.meta["val"].dtype == torch.float64 and all(
        isinstance(user.meta.get("val"), Tensor) and user.meta["val"].dim() and user.meta["val"].dtype == torch.float32
        for user in users
    )


def _is_scalar(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.dim() == 0

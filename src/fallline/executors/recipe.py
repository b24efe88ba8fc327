"""The order in which waiting operations are made, each where possible in the memory of what it is the last to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.executors.multi_tensor import MultiTensor, Operation


@dataclass(slots=True)
class _Call:
    """One multi-tensor call: what it reads, whether its result takes the place of the first operand, and what nobody
    reads after it. Lists go by their identity."""

    operation: Operation
    operands: Sequence[Any]
    keywords: dict[str, Any]
    into: int
    over: bool
    last: set[int]


class Recipe:
    """How to make some lists from what their operations read, for any range of parameters at a time.

    The first list is made last: it may overwrite what all the others read.
    """

    def __init__(self, wanted: Sequence[MultiTensor]) -> None:
        self._wanted = wanted
        self._read: dict[int, int] = {}
        self._made: set[int] = set()
        self._calls: list[_Call] = []
        self._given: dict[int, MultiTensor] = {}
        for x in wanted:
            self._count(x)
        for x in (*wanted[0].operands, *wanted[1:], wanted[0]):
            self._plan(x)

    def make(self, begin: int, end: int) -> list[list[Tensor]]:
        """The wanted lists for the parameters from begin up to end."""
        known: dict[int, Any] = {i: x.values()[begin:end] for i, x in self._given.items()}
        for call in self._calls:
            operands = _read_by(call, known)
            if call.over:
                call.operation.over(*operands, **call.keywords)
                known[call.into] = operands[0]
            else:
                known[call.into] = call.operation.apart(*operands, **call.keywords)
            for x in call.last:
                del known[x]
        return [known[id(x)] for x in self._wanted]

    def _count(self, x: MultiTensor) -> None:
        before = self._read.get(id(x), 0)
        self._read[id(x)] = before + 1
        if not before:
            for operand in x.operands:
                if type(operand) is MultiTensor:
                    self._count(operand)

    def _plan(self, x: Any) -> None:
        if type(x) is not MultiTensor or id(x) in self._made:
            return
        for operand in x.operands:
            self._plan(operand)
        self._call(x)

    def _call(self, x: MultiTensor) -> None:
        self._made.add(id(x))
        operation, operands = x.operation, x.operands
        if operation is None:
            self._given[id(x)] = x
            return
        lists = [operand for operand in operands if type(operand) is MultiTensor]
        for operand in lists:
            self._read[id(operand)] -= 1
        over = self._may_hold(operands[0], x)
        if not over and operation.commutes and len(lists) == 2 and self._may_hold(operands[1], x):
            operands, over = operands[::-1], True
        last = {id(operand) for operand in lists if not self._read[id(operand)]}
        self._calls.append(_Call(operation, operands, x.keywords, id(x), over, last))

    def _may_hold(self, x: MultiTensor, result: MultiTensor) -> bool:
        return x.private and x.kind is result.kind and not self._read[id(x)]


def _read_by(call: _Call, known: dict[int, Any]) -> list[Any]:
    return [known[id(x)] if type(x) is MultiTensor else x for x in call.operands]

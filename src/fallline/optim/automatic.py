"""The choice that `executor="auto"` makes: from the sizes of the parameters alone, so that two runs take one way."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fallline.executors import Part, Surroundings, initial_state, reference
from fallline.rules import Rule

_SECONDS_TO_COMPILE = 4.0
"""What a first compilation costs a process whose caches are full."""
_STEPS = 1000
"""After how many steps a compilation must have paid for itself."""
_FREE = 5
"""How many passes over the numbers a compiled step is worth itself."""
_ODD = 7
_SECONDS_PER_PASS = {"cpu": 1.5e-10, "cuda": 4e-12}
"""What one pass over one number costs, about: 20 tensors of 1M floats on 2 cores; a GPU by its bandwidth."""


def worth_compiling(rule: Rule, parameters: Sequence[Tensor]) -> bool:
    """Whether a thousand compiled steps of these parameters save more time than the compilation costs."""
    if rule.acts_on == "matrix" or not parameters:
        return False
    passes = sum(p.numel() for p in parameters) * _SECONDS_PER_PASS.get(parameters[0].device.type, 0.0) * _STEPS
    # A formula is long if it has a hundred operations: for most models that settles it without counting.
    return passes * 100 >= _SECONDS_TO_COMPILE and passes * (operations(rule) - _FREE) >= _SECONDS_TO_COMPILE


def operations(rule: Rule) -> int:
    """How many operations on whole tensors a step makes when it is run one by one.

    >>> from fallline.rules import SGD, Adam
    >>> operations(SGD()), operations(Adam())
    (1, 13)
    """
    p = torch.zeros(_ODD)
    part = Part(rule, [p], [p], [initial_state(rule, p)], [rule.floats()], [1], [0])
    around = Surroundings(1, lambda q, position, call: torch.zeros_like(q), lambda points: [x for _, x in points])
    counter = _Counter()  # type: ignore[no-untyped-call]
    with counter:
        reference([part], around)
    return counter.count


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    count: int = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.count += isinstance(result, Tensor) and result.numel() == _ODD
        return result

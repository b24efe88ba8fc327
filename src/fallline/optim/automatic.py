"""The choice that `executor="auto"` makes: from the sizes of the parameters alone, so that two runs take one way."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fallline.executors import Part, Surroundings, can_compile, cannot_capture, initial_state, reference
from fallline.optim.acceptance import sharded
from fallline.optim.native import Native, native
from fallline.rules import Rule

_SECONDS_TO_COMPILE = 2.5
"""What a first compilation costs a process whose caches are full."""
_STEPS = 1000
"""After how many steps a compilation must have paid for itself."""
_FREE = 3
"""How many passes over the numbers a compiled step is worth itself."""
_ODD = 7
_SECONDS_PER_PASS = {"cpu": 1.2e-10, "cuda": 4e-12}
"""What one pass over one number costs, about: 20 tensors of 1M floats on 2 cores; a GPU by its bandwidth."""


def chosen(template: Rule, rule: Rule, groups: Sequence[Mapping[str, Any]]) -> Native | str:
    """What makes the steps: the compiled formula where it repays its compilation, else torch's own optimizer where
    it has the rule, else the formula in multi-tensor operations.

    `template` is the rule as it was given, `rule` with what the groups add to it (torch's weight decay). A caller who
    asks torch for `foreach` or `fused` steps gets those where torch has the rule.
    """
    parameters = [p for group in groups for p in group["params"]]
    if any(sharded(p) for p in parameters):
        return "foreach"
    hinted = any(group.get("foreach") is not None or group.get("fused") for group in groups)
    if not hinted and worth_compiling(rule, parameters) and can_compile(parameters[0].device):
        why = cannot_capture(rule)
        if why is None:
            return "compiled"
        warnings.warn(f"{type(rule.core()).__name__} is not compiled: {why}.", stacklevel=2)
    theirs = native(template, groups)
    if theirs is not None:
        return theirs
    return "reference" if any(group.get("foreach") is False for group in groups) else "foreach"


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

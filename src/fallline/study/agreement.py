"""Whether two runners trained a study alike: by whole curves where it is stable, by outcomes where it is chaotic.

A training is chaotic where initial weights moved by one unit in the last place move its curve by more than rounding:
there no two programs agree, nor one program with itself on two machines.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import torch
from torch import nn

from fallline.problems import Problem
from fallline.problems.copied import copied
from fallline.study.record import Record

ALIKE = 1e-9
"""Up to which relative difference two float64 curves are the same."""


@dataclass(frozen=True)
class Agreement:
    """How many members were stable, and the largest difference of their curves; how many were chaotic, and of how many
    of these the endings were equal.
    """

    stable: int
    largest: float
    chaotic: int
    equal_endings: int

    @property
    def holds(self) -> bool:
        """Whether all stable curves are alike, and all chaotic members ended alike."""
        return self.largest < ALIKE and self.equal_endings == self.chaotic


def agreement(one: Sequence[Record], other: Sequence[Record], moved: Sequence[Record]) -> Agreement:
    """How well two runners agree about the members of a study. `moved` are the members as the first runner trains them
    from weights moved by one unit in the last place (`moved_by_one_ulp`).
    """
    others, again = ({record.key: record for record in records} for records in (other, moved))
    stable = [record for record in one if difference(record, again[record.key]) < ALIKE]
    chaotic = [record for record in one if record not in stable]
    return Agreement(
        len(stable),
        max((difference(record, others[record.key]) for record in stable), default=0.0),
        len(chaotic),
        sum(record.outcome.ending is others[record.key].outcome.ending for record in chaotic),
    )


def difference(one: Record, other: Record) -> float:
    """The largest relative difference of a number in one member's curve from that in the other's; infinite where they
    did not end at the same step in the same way, or one of two numbers is not finite.
    """
    if (one.outcome.ending, one.outcome.step) != (other.outcome.ending, other.outcome.step):
        return math.inf
    return max(
        _difference(x, y)
        for name, column in one.curve.columns.items()
        for x, y in zip(column, other.curve[name], strict=True)
    )


def _difference(x: float, y: float) -> float:
    if math.isfinite(x) and math.isfinite(y):
        return abs(x - y) / max(abs(x), abs(y)) if x != y else 0.0
    return 0.0 if repr(x) == repr(y) else math.inf


def moved_by_one_ulp(problem: Problem) -> Problem:
    """The problem with every initial weight moved to the next larger number.

    >>> x = torch.ones(4, 1)
    >>> line = Problem(model=nn.Linear(1, 1), loss=nn.MSELoss(), train=(x, x))
    >>> before, after = line.make_model().weight, moved_by_one_ulp(line).make_model().weight
    >>> bool(0 < after - before < 1e-7)
    True
    """
    make = problem.model
    if isinstance(make, nn.Module):
        return replace(problem, model=_moved(copied(make)))

    @wraps(make)
    def moved(*args: Any, **factors: Any) -> nn.Module:
        return _moved(make(*args, **factors))

    return replace(problem, model=moved)


@torch.no_grad()
def _moved(model: nn.Module) -> nn.Module:
    for p in model.parameters():
        p.copy_(torch.nextafter(p, torch.full_like(p, math.inf)))
    return model

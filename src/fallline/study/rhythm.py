"""After how many steps a rule has done all that it does now and then."""

import math
import sys

import torch

from fallline.executors import initial_state
from fallline.optim import Optimizer
from fallline.rules import Now, Rule
from fallline.wrappers.route import branches


def rhythm(optimizer: torch.optim.Optimizer) -> int:
    """The number of steps among which each kind of step has its share, 1 where all are alike.

    An optimizer that is no rule of ours is taken to make one step like another.

    >>> from fallline.rules import Adam
    >>> from fallline.wrappers import Lookahead
    >>> p = torch.zeros(2, requires_grad=True)
    >>> rhythm(Optimizer([p], Adam())), rhythm(Optimizer([p], Lookahead(Adam(), k=6)))
    (1, 6)
    """
    if not isinstance(optimizer, Optimizer):
        return 1
    return math.lcm(*(k for rule in branches(optimizer.rule).values() for k in _asked(rule)))


def _asked(rule: Rule) -> set[int]:
    """Every how many steps something is due, found by asking a step where all is due and one where nothing is."""
    asked: set[int] = set()
    p = torch.ones([2] * max(min(rule.ranks), 2))
    for answer in (True, False):

        def due(k: int, first: int = 1, answer: bool = answer) -> bool:
            # What is due once in a training has no rhythm.
            if k < sys.maxsize:
                asked.add(k)
                return answer
            return False

        now = Now(2, lambda _: torch.tensor(1.0), lambda x: x, due, lambda x: x)
        rule.step(p, torch.ones_like(p), initial_state(rule, p), now)
    return asked

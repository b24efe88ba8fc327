"""Whether a formula can be captured: it is tried on small tensors before it is compiled for large ones.

What Python computes of a number (`math.sqrt(now.t)`, `if self.lr > 0.1`) is fixed when a graph is captured, and a rule
that says it acts on single elements is shown flattened tensors. A trial costs milliseconds; wrong weights cost days.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError, describe_failure
from fallline.executors.part import Executor, Part, Surroundings
from fallline.executors.reference import initial_state, reference
from fallline.rules import Rule

_TRIED: dict[Hashable, str | None] = {}


def refusal(rule: Rule, captured: Executor) -> str | None:
    """Why a rule's formula cannot be captured, None where it can; found once for each program."""
    program = rule.program()
    if program not in _TRIED:
        _TRIED[program] = _tried(rule, captured)
    return _TRIED[program]


def _tried(rule: Rule, captured: Executor) -> str | None:
    p = [_waves(shape, 1.0) for shape in ((4, 6), (6, 5), (4, 6, 2), (3,)) if len(shape) in rule.ranks]
    state = [initial_state(rule, x) for x in p]
    for t in (1, 2, 5):
        g = [_waves(tuple(x.shape), 0.3 + t) for x in p]
        part = Part(rule, p, g, state, [rule.floats()] * len(p), [t] * len(p), list(range(len(p))))
        around = Surroundings(t, _noise, lambda points: [x.sin() for _, x in points])
        right = reference([part.copy()], around)[0]
        mine = part.copy()
        try:
            captured([mine], around)
        except InputError:
            raise
        except Exception as error:
            return f"it cannot be run on numbers that are not known yet ({describe_failure(error)})"
        p = [x - d for x, d in zip(p, right.decrement, strict=True)]
        state = right.state
        if not _alike(mine.p, p, rule) or not _alike(_entries(mine.state), _entries(state), rule):
            return f"its {_ordinal(t)} update comes out different"
        if not _alike(mine.g, g, rule):
            return "it changes the gradient in place"
    return None


def _noise(p: Tensor, position: int, call: int) -> Tensor:
    return _waves(tuple(p.shape), 0.7 + call)


def _waves(shape: tuple[int, ...], phase: float) -> Tensor:
    numbers = torch.arange(1, torch.Size(shape).numel() + 1, dtype=torch.float64)
    return torch.sin(phase + 1.7 * numbers).reshape(shape)


def _entries(states: Sequence[dict[str, Any]]) -> list[Tensor]:
    return [x for state in states for _, x in sorted(state.items())]


def _alike(mine: Sequence[Tensor], right: Sequence[Tensor], rule: Rule) -> bool:
    loose = 0.25 if rule.rounds else 1e-9 * rule.amplifies
    return all(
        torch.allclose(x.double(), y.double(), rtol=loose, atol=loose, equal_nan=True)
        for x, y in zip(mine, right, strict=True)
    )


def _ordinal(t: int) -> str:
    return {1: "first", 2: "second"}.get(t, f"{t}th")

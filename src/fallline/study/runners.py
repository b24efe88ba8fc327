"""Who runs a rule, found by trying it."""

from collections.abc import Callable
from typing import Any

import torch

from fallline.executors import Compiled, Part, Surroundings, foreach, initial_state, population, reference
from fallline.executors.kernels import uncompiled
from fallline.optim.automatic import worth_compiling
from fallline.rules import Rule

_LARGEST = 10**11


def executors(rule: Rule) -> list[str]:
    """Which executors can run a rule; of the compiled formula the capture is tried, not the compiler.

    >>> from fallline.rules import SGD
    >>> executors(SGD())
    ['reference', 'foreach', 'compiled', 'population']
    """
    p = torch.ones(2, 2)
    surroundings = Surroundings(1, lambda q, *_: torch.zeros_like(q), lambda points: [x for _, x in points])

    def part() -> Part:
        return Part(rule, [p.clone()], [p.clone()], [initial_state(rule, p)], [rule.floats()], [1], [0])

    def stacked() -> None:
        state = {name: torch.stack([x, x]) for name, x in initial_state(rule, p).items()}
        values = {name: torch.tensor([x, x], dtype=torch.float64) for name, x in rule.floats().items()}
        members = torch.stack([p, p])
        population(rule, values, [members], [members], [state], 1, surroundings)

    ways: dict[str, Callable[[], Any]] = {
        "reference": lambda: reference([part()], surroundings),
        "foreach": lambda: foreach([part()], surroundings),
        "compiled": lambda: Compiled(uncompiled)([part()], surroundings),
        "population": stacked,
    }
    found = []
    for name, way in ways.items():
        try:
            way()
        except Exception:
            # Whatever stops it, it cannot run the rule.
            continue
        found.append(name)
    return found


def compiled_from(rule: Rule) -> int | None:
    """From how many weights on, to two digits, "auto" compiles a rule on a CPU; None if it never does."""
    low, high = 1, _LARGEST
    if not _worth(rule, _LARGEST):
        return None
    while high > 1.01 * low + 1:
        middle = int((low * high) ** 0.5)
        low, high = (low, middle) if _worth(rule, middle) else (middle, high)
    return int(float(f"{high:.1e}"))


def _worth(rule: Rule, weights: int) -> bool:
    return worth_compiling(rule, [torch.empty(1).expand(weights)])

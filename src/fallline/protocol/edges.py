"""Best values at the edge of what was tried: better ones may lie beyond."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Edge:
    """A hyperparameter whose best value is the least or the largest that was tried."""

    name: str
    value: float
    end: Literal["least", "largest"]

    def __str__(self) -> str:
        return f"{self.name}={self.value:g} is the {self.end} value tried"


def edges(tried: Mapping[str, Iterable[Any]], best: Mapping[str, Any]) -> Iterator[Edge]:
    """The edges at which the best values lie, given all values tried of each hyperparameter; only of numbers of which
    there were three or more, because of two each is at an edge.

    >>> print(*edges({"lr": [0.1, 1.0, 10.0], "momentum": [0.5, 0.9]}, {"lr": 10.0, "momentum": 0.9}))
    lr=10 is the largest value tried
    """
    for name, values in tried.items():
        numbers = {value for value in values if isinstance(value, float)}
        if len(numbers) < 3:
            continue
        if best[name] == min(numbers):
            yield Edge(name, best[name], "least")
        if best[name] == max(numbers):
            yield Edge(name, best[name], "largest")

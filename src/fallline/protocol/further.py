"""The trials that every optimizer gets more where one did best at an edge of what was tried."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fallline.log_range import rounded
from fallline.protocol.edges import edges
from fallline.protocol.space import Setting


def further_settings(
    tried: Sequence[Setting], best: Setting, count: int, legal: Callable[[Setting], bool] = lambda setting: True
) -> list[dict[str, Any]]:
    """`count` settings beyond the edges at which the best one lies, as far apart as those tried are on a logarithmic
    scale; of one at no edge, or where nothing beyond is legal, between it and its neighbours.

    None where nothing was tuned that is a number.

    >>> rates = [{"lr": 0.01}, {"lr": 0.1}, {"lr": 1.0}]
    >>> further_settings(rates, {"lr": 1.0}, 2)
    [{'lr': 10.0}, {'lr': 100.0}]
    >>> further_settings(rates, {"lr": 0.1}, 2)
    [{'lr': 0.031623}, {'lr': 0.31623}]
    """
    numbers = _numbers(tried)
    found = list(edges(numbers, best))
    beyond = []
    for number in range(count if found else 0):
        edge = found[number % len(found)]
        step = (number // len(found) + 1) * (1 if edge.end == "largest" else -1)
        value = rounded(edge.value * math.exp(step * _spacing(numbers[edge.name])), digits=5)
        beyond.append({**best, edge.name: value})
    allowed = [setting for setting in beyond if legal(setting)]
    return allowed + _between(numbers, best, count - len(allowed))


def _numbers(tried: Sequence[Setting]) -> dict[str, list[float]]:
    """The values tried of each hyperparameter of which three numbers above 0 were or more, in ascending order."""
    values = {name: [setting[name] for setting in tried] for name in tried[0]}
    return {
        name: sorted(set(own))
        for name, own in values.items()
        if all(isinstance(value, float) and 0 < value < math.inf for value in own) and len(set(own)) > 2
    }


def _spacing(values: Sequence[float]) -> float:
    """How far apart values are on average, as a difference of logarithms."""
    return math.log(values[-1] / values[0]) / (len(values) - 1)


def _between(numbers: Mapping[str, Sequence[float]], best: Setting, count: int) -> list[dict[str, Any]]:
    """Settings between the best and its neighbours in the first of the numbers, half of them on either side."""
    if not numbers or not count:
        return []
    name = "lr" if "lr" in numbers else next(iter(numbers))
    values = numbers[name]
    place = values.index(best[name])
    below, above = values[max(place - 1, 0)], values[min(place + 1, len(values) - 1)]
    fewer = count if above == best[name] else 0 if below == best[name] else count // 2
    shares = [(below, (i + 1) / (fewer + 1)) for i in range(fewer)]
    shares += [(above, 1 - (i + 1) / (count - fewer + 1)) for i in range(count - fewer)]
    return [{**best, name: rounded(best[name] * (end / best[name]) ** (1 - share), digits=5)} for end, share in shares]

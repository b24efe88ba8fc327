"""Search spaces, and the settings that a search tries in them."""

import itertools
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from fallline.log_range import LogRange
from fallline.protocol.points import points

Search = Literal["grid", "random", "sobol", "halton"]
SEARCHES: tuple[Search, ...] = get_args(Search)
Space = Mapping[str, LogRange | tuple[Any, ...]]
"""What may be tried of each hyperparameter: a range, or a list of values."""
Setting = Mapping[str, Any]
TRIALS = 7
"""How many settings are tried of each optimizer, and how many values a range is cut into, where nothing is said."""
_MOST = 1 << 14


def trial_settings(
    space: Space, search: Search = "grid", trials: int = TRIALS, seed: int = 0, label: str = "", repeat: int = 0
) -> list[dict[str, Any]]:
    """The settings that are tried of an optimizer.

    A grid is all combinations, ranges being cut into `trials` values. Other searches try so many settings, each once:
    log-uniform in ranges, lists by index; where lists alone have no more combinations, all of them. What is drawn
    depends on the study's seed, the optimizer's label and the repeat alone.

    >>> trial_settings({"lr": LogRange(0.01, 1.0), "nesterov": (True,)}, trials=3)
    [{'lr': 0.01, 'nesterov': True}, {'lr': 0.1, 'nesterov': True}, {'lr': 1.0, 'nesterov': True}]
    >>> len(trial_settings({"lr": LogRange(0.01, 1.0), "momentum": (0.5, 0.9)}, "sobol", 5))
    5
    """
    ranges = any(isinstance(values, LogRange) for values in space.values())
    if search == "grid" or (not ranges and math.prod(len(values) for values in _lists(space)) <= trials):
        lists = [values.grid(trials) if isinstance(values, LogRange) else values for values in space.values()]
        return [dict(zip(space, values, strict=True)) for values in itertools.product(*lists)]
    open_ = [name for name, values in space.items() if isinstance(values, LogRange) or len(values) > 1]
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    count = trials
    while len(found) < trials and count <= _MOST:
        for point in points(search, len(open_), count, seed, label, repeat).tolist():
            setting = _setting(space, dict(zip(open_, point, strict=True)))
            if len(found) < trials:
                found.setdefault(tuple(map(repr, setting.values())), setting)
        count *= 2
    return list(found.values())


def _lists(space: Space) -> list[tuple[Any, ...]]:
    return [values for values in space.values() if not isinstance(values, LogRange)]


def _setting(space: Space, shares: Mapping[str, float]) -> dict[str, Any]:
    setting = {}
    for name, values in space.items():
        share = shares.get(name, 0.0)
        setting[name] = values.at(share) if isinstance(values, LogRange) else values[int(share * len(values))]
    return setting

"""Numbers, values and quantities as they are written for readers."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from fallline.phrases import counted as counted
from fallline.phrases import listed as listed
from fallline.phrases import number as number
from fallline.statistics import MedianInterval
from fallline.study.values import spelled

SPLITS = {"train": "training", "validation": "validation", "test": "test"}


def decimals(values: Iterable[float]) -> int | None:
    """The decimals with which a column of numbers is best read; None for three significant digits each.

    >>> decimals([0.0923, 2.303]), decimals([0.0123, 2.303]), decimals([0.00012, 3.0])
    (3, 4, None)
    """
    sizes = [abs(value) for value in values if math.isfinite(value) and value]
    if not sizes:
        return 3
    if min(sizes) < 0.01 or max(sizes) >= 1e5:
        return None
    most = 3 if min(sizes) >= 0.03 else 4
    return min(most, max(0, 2 - math.floor(math.log10(min(sizes)))))


def interval_text(interval: MedianInterval, places: int | None = None) -> tuple[str, str]:
    """The median, and the interval in brackets; no interval where one run cannot give any.

    >>> interval_text(MedianInterval(0.092, 0.080, 0.114, 0.75), 3)
    ('0.092', '[0.080, 0.114]')
    """
    if not math.isfinite(interval.median):
        return "diverged", ""
    bounds = f"[{number(interval.low, places)}, {number(interval.high, places)}]" if interval.level > 0 else ""
    return number(interval.median, places), bounds


def value_text(value: Any) -> str:
    """A hyperparameter's value.

    >>> value_text(0.0215443), value_text(0.0), value_text(True), value_text("64-64")
    ('0.0215', '0', 'true', '64-64')
    """
    return f"{value:.3g}" if isinstance(value, float) else spelled(value)


def setting_parts(values: Mapping[str, Any]) -> list[str]:
    """Values as `name=value`, the learning rate first.

    >>> setting_parts({"momentum": 0.9, "lr": 0.1})
    ['lr=0.1', 'momentum=0.9']
    """
    return [f"{name}={value_text(values[name])}" for name in sorted(values, key=lambda name: name != "lr")]


def setting_text(values: Mapping[str, Any]) -> str:
    """Values in one line, the learning rate first."""
    return ", ".join(setting_parts(values))


def quantity_text(quantity: str) -> str:
    """A recorded quantity in words.

    >>> quantity_text("train_loss"), quantity_text("batch_loss")
    ('training loss', 'mini-batch loss')
    """
    if quantity == "batch_loss":
        return "mini-batch loss"
    split, _, name = quantity.partition("_")
    if name == "gap":
        return f"{SPLITS[split]} - training loss"
    return f"{SPLITS[split]} {name.replace('_', ' ')}" if split in SPLITS and name else quantity


def filled(parts: Iterable[str], width: int) -> str:
    """Parts with commas between them, in lines of at most so many characters; a part that is longer loses its middle.

    >>> filled(["digits", "dropout=0.5", "l1=0.001"], 20)
    'digits, dropout=0.5,\\nl1=0.001'
    """
    lines: list[str] = []
    whole = [_without_middle(part, width - 1) for part in parts]
    for i, part in enumerate(whole):
        text = part if i == len(whole) - 1 else f"{part},"
        if lines and len(lines[-1]) + 1 + len(text) <= width:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return "\n".join(lines)


def shortened(text: str, most: int) -> str:
    """Text of at most so many characters.

    >>> shortened("momentum", 5)
    'mome…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def _without_middle(text: str, most: int) -> str:
    end = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - end]}…{text[-end:]}"

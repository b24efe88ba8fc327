"""How long each optimizer took to reach the target, in steps, samples, evaluations and seconds."""

import math
from typing import Any

from fallline.report.cells import Cell, Entry
from fallline.report.colors import Look
from fallline.report.panels import Panel
from fallline.report.words import number
from fallline.statistics import TimeToTarget
from fallline.study import Row
from fallline.study.reached import Reached

UNITS = {"steps": "steps", "samples": "samples", "evaluations": "gradient evaluations", "seconds": "seconds"}


def target_words(panel: Panel) -> str | None:
    """The target of a panel in words; None without one."""
    return next((row.target.words for row in panel.rows if row.target is not None and row.time_to_target), None)


def arrival_units(panel: Panel) -> list[str]:
    """The units in which times are known, of one optimizer or more: what diverged has no speed, and so no seconds."""
    return [unit for unit in UNITS if any(unit in row.time_to_target for row in panel.rows)]


def arrival_curves(panel: Panel) -> dict[str, Any] | None:
    """The curves that the page draws, for each unit, with where runs without a hit were last watched."""
    words = target_words(panel)
    if words is None:
        return None
    return {
        "words": words,
        "units": [
            {
                "name": UNITS[unit],
                "rows": [
                    {
                        "optimizer": row.optimizer,
                        "times": row.time_to_target[unit].times,
                        "reached": [1 - share for share in row.time_to_target[unit].without],
                        "until": max(row.reached[unit].watched),
                        "missed": _missed(row.reached[unit]),
                        "text": _told(row.time_to_target[unit]),
                    }
                    for row in panel.rows
                    if unit in row.time_to_target
                ],
            }
            for unit in arrival_units(panel)
        ],
    }


def arrival_entries(panel: Panel, styles: dict[str, Look]) -> list[Entry]:
    """Hit rate, and in each unit the median time and what a hit costs."""
    units = arrival_units(panel)
    return [
        Entry(
            row.optimizer,
            styles[row.optimizer].color,
            (
                Cell("reached it", *_rate(row.time_to_target["steps"])),
                *(Cell(f"{UNITS[unit]}: median (a hit costs)", *_times(row, unit)) for unit in units),
            ),
        )
        for row in panel.rows
        if row.time_to_target
    ]


def _missed(reached: Reached) -> list[dict[str, float]]:
    """Where runs that did not reach the target were last watched, and how many."""
    ends = [end for hit, end in zip(reached.first, reached.watched, strict=True) if not math.isfinite(hit)]
    return [{"at": end, "count": ends.count(end)} for end in sorted(set(ends))]


def _told(found: TimeToTarget) -> str:
    return f"{found.hits.count} of {found.hits.of}; median {_time(found.median)}; a hit costs {_time(found.cost)}"


def _rate(found: TimeToTarget) -> tuple[str, str]:
    hits = found.hits
    return f"{hits.count} of {hits.of}", f"[{100 * hits.low:.0f} %, {100 * hits.high:.0f} %]"


def _times(row: Row, unit: str) -> tuple[str, str]:
    if unit not in row.time_to_target:
        return "-", ""
    found = row.time_to_target[unit]
    return _time(found.median), f"({_time(found.cost)})"


def _time(value: float) -> str:
    if not math.isfinite(value):
        return "never"
    return f"{value:,.0f}" if value >= 100 or value == round(value) else number(value)

"""The time to a target beside the steps: gradient evaluations where a step takes several, and seconds."""

import math
from collections.abc import Iterable, Iterator

from fallline.report.words import counted, listed, number
from fallline.study import Row

NAMED = 8
"""How many rows a note names; all are in the report."""


def time_notes(rows: Iterable[tuple[str, Row]]) -> Iterator[str]:
    """Sentences about rows with their names: times of those half of whose runs met the target.

    Seconds are from speed runs. Where there are these and no target, the seconds of a step are told.
    """
    rows = list(rows)
    several = [(name, row) for name, row in rows if _several(row)]
    if told := _times(several, "evaluations"):
        yield f"Gradient evaluations to target, where a step takes several: {listed(told)}."
    timed = [(name, row.speed) for name, row in rows if row.speed is not None]
    if not timed:
        return
    how = f"from speed runs of each alone ({counted(timed[0][1].threads, 'thread')}; {timed[0][1].machine})"
    if told := _times(rows, "seconds"):
        yield f"Seconds to target, {how}: {listed(told)}."
    elif not any(row.time_to_target for _, row in rows):
        steps = [f"{name} {number(1e3 * speed.interval.median)} ms" for name, speed in timed]
        yield f"A step, {how}: {listed(_first(steps))}."


def _several(row: Row) -> bool:
    reached = row.reached
    return "evaluations" in reached and reached["evaluations"].spent != reached["steps"].spent


def _times(rows: Iterable[tuple[str, Row]], unit: str) -> list[str]:
    times = [(name, row.time_to_target[unit].median) for name, row in rows if unit in row.time_to_target]
    return _first([f"{name} {number(median)}" for name, median in times if math.isfinite(median)])


def _first(told: list[str]) -> list[str]:
    return told if len(told) <= NAMED else [*told[:NAMED], f"{len(told) - NAMED} more in the report"]

"""Panels: the parts of a study within which optimizers are compared with each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fallline.report.words import filled, setting_parts
from fallline.study import Record, Row, StudyResults
from fallline.study.judging import condition as study_condition

CONDITIONS = ("problem", "factors", "schedule", "batch_size")
MOST = 12
"""How many panels are shown together."""


@dataclass(frozen=True)
class Panel:
    """One problem under one choice of factors, schedule and batch size: rows, best first, and all members of the search
    (the reruns, where nothing was searched).

    `condition` holds what of these is compared in the study, and so must be said.
    """

    problem: str
    condition: Mapping[str, Any]
    rows: tuple[Row, ...]
    members: tuple[Record, ...]

    @property
    def title(self) -> str:
        """The problem, and what tells this panel from the others of the problem."""
        return ", ".join(self._parts)

    def wrapped_title(self, width: int) -> str:
        """The title in lines of at most so many characters."""
        return filled(self._parts, width)

    @property
    def selected_on(self) -> str:
        """The quantity that chose the values of all rows."""
        return self.rows[0].selected_on

    @property
    def _parts(self) -> list[str]:
        return [self.problem, *setting_parts(self.condition)]


def panels(results: StudyResults) -> list[Panel]:
    """The panels of a study, in the order in which their members were planned."""
    members = results.searched or results.reruns
    keys = [_key(record) for record in members]
    rows = {key: [row for row in results.ranking if _key(vars(row)) == key] for key in dict.fromkeys(keys)}
    return [
        Panel(
            problem=found[0].problem,
            condition=condition(results, found[0]),
            rows=tuple(found),
            members=tuple(record for record, own in zip(members, keys, strict=True) if own == key),
        )
        for key, found in rows.items()
    ]


def foremost(found: Sequence[Panel], most: int = MOST) -> list[Panel]:
    """Of many panels those that hold the best results, as many of each problem as there is room for; in their order."""
    places = []
    for i, panel in enumerate(found):
        better = [other for other in found if other.problem == panel.problem and _best(other) < _best(panel)]
        places.append((len(better), i))
    return [found[i] for i in sorted(i for _, i in sorted(places)[:most])]


def foremost_rows(rows: Sequence[Row], most: int) -> list[Row]:
    """Of a ranking's rows the best of every optimizer on every problem, and the next best while there is room; in
    their order.
    """
    places: list[tuple[bool, int, int]] = []
    for i, row in enumerate(rows):
        before = [other for other in rows[:i] if other.problem == row.problem]
        places.append((any(other.optimizer == row.optimizer for other in before), len(before), i))
    return [rows[i] for i in sorted(i for _, _, i in sorted(places)[:most])]


def condition(results: StudyResults, row: Row) -> dict[str, Any]:
    """What of a row's factors, batch size and schedule differs within its problem."""
    return study_condition(results.ranking, row)


def _key(owner: Any) -> str:
    return repr([owner[name] for name in CONDITIONS])


def _best(panel: Panel) -> float:
    return panel.rows[0].score

"""Panels: the parts of a study within which optimizers are compared with each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fallline.report.words import setting_text
from fallline.study import Record, Row, StudyResults

CONDITIONS = ("problem", "factors", "schedule", "batch_size")


@dataclass(frozen=True)
class Panel:
    """One problem under one choice of factors, schedule and batch size: rows, best first, and all members.

    `condition` holds what of these is compared in the study, and so must be said.
    """

    problem: str
    condition: Mapping[str, Any]
    rows: tuple[Row, ...]
    members: tuple[Record, ...]

    @property
    def title(self) -> str:
        """The problem, and what tells this panel from the others of the problem."""
        told = setting_text(self.condition)
        return f"{self.problem}, {told}" if told else self.problem

    @property
    def selected_on(self) -> str:
        """The quantity that chose the values of all rows."""
        return self.rows[0].selected_on


def panels(results: StudyResults) -> list[Panel]:
    """The panels of a study, in the order in which their members were planned."""
    keys = [_key(record) for record in results.records]
    rows = {key: [row for row in results.ranking if _key(vars(row)) == key] for key in dict.fromkeys(keys)}
    return [
        Panel(
            problem=found[0].problem,
            condition=condition(results, found[0]),
            rows=tuple(found),
            members=tuple(record for record, own in zip(results.records, keys, strict=True) if own == key),
        )
        for key, found in rows.items()
    ]


def condition(results: StudyResults, row: Row) -> dict[str, Any]:
    """What of a row's factors, batch size and schedule differs within its problem."""
    others = [other for other in results.ranking if other.problem == row.problem]
    told = {
        name: value
        for name, value in row.factors.items()
        if len({repr(other.factors.get(name)) for other in others}) > 1
    }
    if len({other.batch_size for other in others}) > 1:
        told["batch_size"] = row.batch_size
    if len({other.schedule for other in others}) > 1:
        told["schedule"] = row.schedule
    return told


def _key(owner: Any) -> str:
    return repr([owner[name] for name in CONDITIONS])

"""A study as files for other programs: tables of members and curves, and the study file."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.files import write_whole
from fallline.study import Record, StudyResults
from fallline.study.toml import study_toml
from fallline.training.curve import COUNTS

WHO = ("problem", "optimizer", "seed")


def export(results: StudyResults, folder: Path, overwrite: bool = False) -> list[Path]:
    """Write `members.csv`, `curves.csv` and `study.toml` into a folder; `losses.csv` where losses of steps were kept.

    Rows of the tables belong together by `member`, the member's key in the store. Numbers have all their digits; `nan`
    and `inf` stand for what they say, and a cell is empty where a member has no such thing. Raises InputError where one
    of the files is there already, unless they may be overwritten.
    """
    written = {
        "members.csv": _table(map(_member, results.records)),
        "curves.csv": _table(row for record in results.records for row in _curve(record)),
        "study.toml": study_toml(results.specification),
    }
    if any(record.curve.losses for record in results.records):
        written["losses.csv"] = _table(row for record in results.records for row in _losses(record))
    there = [name for name in written if (folder / name).exists()]
    if there and not overwrite:
        raise InputError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} in {folder} already. "
            "Choose another folder with --out, or let them be replaced with --overwrite."
        )
    for name, text in written.items():
        write_whole(folder / name, text.encode())
    return [folder / name for name in written]


def _member(record: Record) -> dict[str, Any]:
    plain = record.to_json()
    names = ("problem", "optimizer", "schedule", "batch_size", "order", "seed", "phase")
    ended = ("outcome", "outcome_step", "outcome_cause", "restored_step", "seconds", "weights_digest", "order_digest")
    return {
        "member": record.key,
        **{name: plain[name] for name in names},
        **_spelled("hyperparameter", plain["hyperparameters"]),
        **_spelled("factor", plain["factors"]),
        **{name: plain[name] for name in ended},
        **{f"final.{name}": value for name, value in plain["final"].items()},
    }


def _curve(record: Record) -> Iterable[dict[str, Any]]:
    columns = record.curve.columns
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        yield {**_who(record), **row, **{name: int(row[name]) for name in COUNTS if name in row}}


def _losses(record: Record) -> Iterable[dict[str, Any]]:
    for step, loss in record.curve.losses.items():
        yield {**_who(record), "step": step, "loss": loss}


def _who(record: Record) -> dict[str, Any]:
    return {"member": record.key, **{name: record[name] for name in WHO}}


def _spelled(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under the names of their columns; None is a value of theirs, and no empty cell."""
    words = {None: "none", True: "true", False: "false"}
    return {
        f"{kind}.{name}": words[value] if value is None or isinstance(value, bool) else value
        for name, value in values.items()
    }


def _table(rows: Iterable[Mapping[str, Any]]) -> str:
    found: Sequence[Mapping[str, Any]] = list(rows)
    columns = dict.fromkeys(name for row in found for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()

"""The report of a study: one HTML file that opens without a network."""

import json
import math
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fallline.files import write_whole
from fallline.report.cells import Cell, Entry
from fallline.report.chart_tables import chart_tables, targets_said
from fallline.report.colors import looks
from fallline.report.embedded import embedded
from fallline.report.inside import diagnosed, found_notes, full_name, save_layers
from fallline.report.judged import verdict_sections
from fallline.report.measures import SAID, measure_text, measured, stable_below
from fallline.report.method import headline, method
from fallline.report.notes import diverged_members, ranking_notes, tried, unfinished_note
from fallline.report.panels import condition, panels
from fallline.report.tables import places, quantity_cells, reported, steps_text
from fallline.report.words import listed, quantity_text, setting_parts, setting_text
from fallline.study import StudyResults
from fallline.training import Ending

SCRIPT = (
    "charts.js", "curves.js", "tried.js", "budgets.js", "arrivals.js", "heat_maps.js", "overall.js", "inside.js",
    "verdicts.js", "page.js",
)  # fmt: skip

LATER = ("runner", "threads", "members", "steps", "reasons", "populations")
"""What is told of a later stage's plan."""
TO_COME = ("members_to_come", "steps_to_come")
"""What is told of a plan only before the study has ended."""


@dataclass(frozen=True)
class Ranking:
    """One problem: what was found in a sentence, the rows, the notes, and the winner's line to paste."""

    problem: str
    headline: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    paste: str | None


def write(results: StudyResults, path: str | Path) -> Path:
    """Write the report as one file; it is there whole or not at all."""
    path = Path(path)
    write_whole(path, page_text(results).encode())
    return path


def page_text(results: StudyResults) -> str:
    """The report as HTML, scripts and numbers included."""
    import jinja2
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    problems = list(dict.fromkeys(row.problem for row in results.ranking))
    diverged = diverged_members(results)
    shown = panels(results)
    styles = looks(optimizer.label for optimizer in results.specification.optimizers)
    return environment.get_template("page.html.jinja").render(
        title=listed(problem.name for problem in results.specification.problems),
        unfinished=unfinished_note(results),
        verdicts=verdict_sections(results, styles),
        **chart_tables(results, shown, styles),
        targets=targets_said(shown),
        rankings=[_ranking(results, problem) for problem in problems],
        members=len(results.records),
        stopped=sum(record.outcome.ending is Ending.STOPPED for record in results.records),
        inside=found_notes(results, results.ranking),
        measures=measured(results),
        measured_said=SAID,
        ends=_ends(results),
        layers=_picture(results),
        diverged=[
            {
                "problem": record["problem"],
                "optimizer": record["optimizer"],
                "setting": setting_text(tried(results, record)) or "as given",
                "condition": _conditions(record.description) if _varied(results) else "",
                "seed": record["seed"],
                "step": record.outcome.step,
                "cause": record.outcome.cause,
            }
            for record in diverged
        ],
        method=method(results),
        command=results.environment.get("command"),
        environment=list(_flat(results.environment)),
        plan=list(_flat(_counted(results.plan))),
        specification=json.dumps(results.specification.model_dump(mode="json"), indent=2, ensure_ascii=False),
        style=Markup(_part("page.css")),
        script=Markup(_script()),
        plotly=Markup(get_plotlyjs()),
        data=Markup(embedded(results, shown)),
    )


def _ranking(results: StudyResults, problem: str) -> Ranking:
    rows = [row for row in results.ranking if row.problem == problem]
    styles = looks(optimizer.label for optimizer in results.specification.optimizers)
    columns = list(dict.fromkeys((rows[0].selected_on, *reported(rows))))
    cells = {quantity: quantity_cells(rows, quantity) for quantity in columns}
    conditions = [setting_parts(condition(results, row)) for row in rows]
    entries = []
    for i, (place, row) in enumerate(zip(places(rows), rows, strict=True)):
        own = [
            Cell("place", str(place)),
            Cell("best values", ", ".join(setting_parts(row.told)) or "as given", numeric=False),
            *([Cell("with", ", ".join(conditions[i]), numeric=False)] if any(conditions) else []),
            *(Cell(quantity_text(quantity), *cells[quantity][i]) for quantity in columns),
            Cell("diverged", f"{row.diverged}/{row.members}"),
            *([Cell("steps to target", steps_text(row))] if any(r.steps_to_target for r in rows) else []),
            Cell("trials", str(row.trials)),
        ]
        entries.append(Entry(row.optimizer, styles[row.optimizer].color, tuple(own)))
    best = rows[0]
    return Ranking(
        problem,
        headline(results, problem),
        tuple(entries),
        tuple(ranking_notes(results, rows)),
        results.paste_line(best) if math.isfinite(best.score) else None,
    )


def _ends(results: StudyResults) -> list[Entry]:
    """Where noise scale and sharpness ended, row by row."""
    styles = looks(optimizer.label for optimizer in results.specification.optimizers)
    measures = measured(results)
    entries = []
    for row in results.ranking:
        cells = [
            Cell(f"{measure.name.lower()} ({measure.unit})", *measure_text(row, measure.column)) for measure in measures
        ]
        if any(measure.column == "sharpness" for measure in measures):
            cells.append(Cell("2 / sharpness (learning rate)", stable_below(row)))
        entries.append(Entry(full_name(results, row), styles[row.optimizer].color, tuple(cells)))
    return entries if measures else []


def _picture(results: StudyResults) -> str | None:
    """The picture of the diagnostics as a data address, where there are any."""
    if not diagnosed(results):
        return None
    with TemporaryDirectory() as folder:
        content = save_layers(results, Path(folder) / "layers.png").read_bytes()
    return f"data:image/png;base64,{b64encode(content).decode()}"


def _varied(results: StudyResults) -> bool:
    return any(condition(results, row) for row in results.ranking)


def _conditions(description: Mapping[str, Any]) -> str:
    return setting_text({**description["factors"], "batch_size": description["batch_size"]})


def _flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Nested plain values as names and texts."""
    for name, item in value.items():
        title = f"{above} {name}".strip().replace("_", " ")
        if isinstance(item, Mapping):
            yield from _flat(item, title)
        elif isinstance(item, list | tuple):
            if item:
                yield title, "; ".join(map(str, item))
        elif item is not None and name != "command":
            yield title, str(item)


def _counted(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan for readers: how many members train together, not which; later stages in the same way."""
    populations = [
        f"{len(own['members'])} members, {'compiled' if own['compiled'] else 'captured'}, {own['threads']} threads"
        + "".join(f", {left} of them from step {step} on" for step, left in own.get("compaction", ()))
        for own in plan.get("populations", ())
    ]
    later = {
        f"stage {number}": _counted({name: stage[name] for name in LATER if name in stage})
        for number, stage in enumerate(plan.get("later", ()), 2)
    }
    known = {name: value for name, value in plan.items() if name != "later" and (value or name not in TO_COME)}
    return {**known, "populations": populations, **later}


def _script() -> str:
    """The parts of the page's script in one function, so that none of its names is the page's."""
    parts = "\n".join(map(_part, SCRIPT))
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _part(name: str) -> str:
    return (files("fallline.report") / name).read_text(encoding="utf-8")

"""What went on inside the trainings that were chosen: findings of their diagnostics, and gradients layer by layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fallline.diagnostics import findings
from fallline.report.canvas import drawable, grid, headline, label_ends, loss_scale, plain_ticks, save, styled
from fallline.report.notes import row_name
from fallline.report.words import shortened
from fallline.study import Record, Row, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = 8
NAMED = 4
"""How many runs in which nothing was found are named."""
DEPTH = ("#440154", "#404387", "#29788E", "#22A784", "#79D151", "#C9C400")
"""From the first layer to the last."""


def diagnosed(results: StudyResults) -> bool:
    """Whether the study recorded diagnostics."""
    return any(record_columns(record) for record in results.records)


def record_columns(record: Record) -> dict[str, list[float]]:
    """The diagnostics of a member with their steps; the evaluation of the initial weights has none. Empty without."""
    columns = {name: values[1:] for name, values in record.curve.columns.items() if "/" in name}
    return {"step": record.curve["step"][1:], **columns} if columns else {}


def inside_notes(results: StudyResults, rows: Sequence[Row]) -> list[str]:
    """What the diagnostics found in each row's best run, in sentences; that they found nothing, where it is so."""
    found, silent = [], []
    for row in rows:
        if columns := record_columns(row.best_record):
            name = f"{row_name(results, row)}, seed {row.best_record['seed']}"
            sentences = findings(columns)
            found += [f"{name}: {sentence}" for sentence in sentences]
            silent += [] if sentences else [name]
    if silent:
        where = f"any of the {len(silent)} best runs" if len(silent) == len(rows) > NAMED else "; ".join(silent)
        found.append(f"No layer vanishes, explodes, is dead or non-finite in {where}.")
    return found


def save_layers(results: StudyResults, path: str | Path) -> Path:
    """Draw the gradient norm of every layer over the steps, one panel for each of the first rows of the ranking."""
    rows = [row for row in results.ranking if record_columns(row.best_record)][:PANELS]
    with styled():
        figure, axes = grid(len(rows), 3.0, 6)
        for row, ax in zip(rows, axes, strict=True):
            _draw(ax, shortened(row_name(results, row), 60), record_columns(row.best_record))
        headline(
            figure,
            "Gradient norm of every layer",
            "of the step before each evaluation, in the run with the least loss; dark: first layer, light: last",
        )
        return save(figure, Path(path))


def _draw(ax: "Axes", title: str, columns: Mapping[str, Sequence[float]]) -> None:
    from matplotlib.ticker import MaxNLocator

    norms = {name.partition("/")[2]: v for name, v in columns.items() if name.startswith("gradient_norm/")}
    ends, shown = [], []
    for i, (layer, values) in enumerate(norms.items()):
        color = DEPTH[round(i * (len(DEPTH) - 1) / max(len(norms) - 1, 1))]
        y = drawable(values)
        ax.plot(columns["step"], y, color=color, linewidth=1.5, marker=".", markersize=4)
        kept = y[np.isfinite(y)]
        shown += [float(value) for value in kept if value > 0]
        if len(kept) and (len(norms) <= 12 or i % (len(norms) // 8) == 0):
            ends.append((float(kept[-1]), shortened(layer, 20), color))
    loss_scale(ax, shown)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("step")
    ax.set_ylabel("gradient norm")
    ax.set_title(title)
    plain_ticks(ax)
    label_ends(ax, ends, 0.06)

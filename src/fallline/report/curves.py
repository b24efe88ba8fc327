"""One panel of loss curves: every seed thin, the median bold, each line named at its end."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fallline.report.canvas import drawable, height_of, label_ends, loss_scale, plain_ticks
from fallline.report.colors import Look
from fallline.report.panels import Panel
from fallline.report.series import median_curve
from fallline.report.words import quantity_text, setting_text, shortened
from fallline.study import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME_HEIGHT = 0.18
"""Inches."""


def draw_curves(
    ax: "Axes", panel: Panel, styles: dict[str, Look], title: str, scale: Sequence[float], with_values: bool
) -> None:
    """Draw the curves of the quantity that selected, on a scale with room for some values.

    `with_values` names lines with their hyperparameters too.
    """
    from matplotlib.ticker import MaxNLocator

    quantity = panel.selected_on
    ends = []
    for row in reversed(panel.rows):
        look = styles[row.optimizer]
        for run in row.winners:
            _draw_seed(ax, run, quantity, look.color)
        curve = median_curve(row.winners, quantity)
        y = drawable(curve.median)
        ax.plot(curve.step, y, color=look.color, linestyle=look.dash.matplotlib, linewidth=2.2)
        name = f"{row.optimizer}  {setting_text(row.told)}" if with_values else row.optimizer
        if not math.isfinite(row.score):
            name = f"x {row.optimizer}"
        ends.append((row.score, shortened(name, 32 if with_values else 22), look.color))
    loss_scale(ax, scale)
    ax.set_xlim(0, max(run.curve["step"][-1] for row in panel.rows for run in row.winners) or 1)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("step")
    ax.set_ylabel(quantity_text(quantity))
    ax.set_title(title)
    plain_ticks(ax)
    label_ends(ax, ends, NAME_HEIGHT / height_of(ax))


def _draw_seed(ax: "Axes", run: Record, quantity: str, color: str) -> None:
    y = drawable(run.curve[quantity])
    ax.plot(run.curve["step"], y, color=color, linewidth=0.8, alpha=0.45)
    kept = np.flatnonzero(np.isfinite(y))
    if run.diverged and len(kept):
        ax.plot(run.curve["step"][kept[-1]], y[kept[-1]], "x", color=color, markersize=6, markeredgewidth=1.5)


def shown_values(panel: Panel) -> list[float]:
    """The values that set the axis: a run that diverged goes out at the top and hides nothing of the others."""
    runs = [run for row in panel.rows for run in row.winners]
    steady = [run for run in runs if not run.diverged] or runs
    values = [value for run in steady for value in drawable(run.curve[panel.selected_on])]
    return [value for value in values if np.isfinite(value)]

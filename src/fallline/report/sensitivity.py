"""One panel of final losses against the learning rate."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fallline.report.canvas import FAINT, INK, LINE, RULE, drawable, height_of, loss_scale, plain_ticks
from fallline.report.colors import Look
from fallline.report.panels import Panel
from fallline.report.series import Tried, tried_values
from fallline.report.words import quantity_text, shortened
from fallline.study import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def diverging(panel: Panel) -> list[str]:
    """The optimizers that have a diverged run among those drawn."""
    return [
        row.optimizer
        for row in panel.rows
        if any(run.diverged for tried in tried_values(panel, row, "lr") for run in tried.runs)
    ]


def compares_rates(panel: Panel) -> bool:
    """Whether some optimizer was tried with two learning rates or more."""
    return any(len(tried_values(panel, row, "lr")) > 1 for row in panel.rows)


def final_values(panel: Panel) -> list[float]:
    """The final losses of the runs drawn, of those that did not diverge."""
    finals = [
        run.final(panel.selected_on) for row in panel.rows for t in tried_values(panel, row, "lr") for run in t.runs
    ]
    return [value for value in finals if math.isfinite(value)]


def draw_sensitivity(ax: "Axes", panel: Panel, styles: dict[str, Look], title: str, scale: Sequence[float]) -> None:
    """Draw medians as lines, seeds as points, the chosen values ringed, and divergences in a band above, on a scale
    with room for some values.
    """
    tried = {row.optimizer: tried_values(panel, row, "lr") for row in panel.rows}
    for row in reversed(panel.rows):
        _draw_tried(ax, row, tried[row.optimizer], styles[row.optimizer])
    ax.set_xscale("log")
    rates = [t.value for points in tried.values() for t in points]
    if rates:
        ax.set_xlim(min(rates) / 1.6, max(rates) * 1.6)
    loss_scale(ax, scale)
    plain_ticks(ax)
    ax.set_xlabel("learning rate")
    ax.set_ylabel(f"final {quantity_text(panel.selected_on)}")
    gone = diverging(panel)
    _draw_divergences(ax, [(styles[name], tried[name]) for name in gone])
    ax.set_title(title, y=1.0, pad=6 + 72 * LINE * len(gone))
    _draw_legend(ax, panel, styles)
    if not final_values(panel):
        ax.set_yticks([])
        told = "every run diverged" if rates else "no learning rate was set"
        ax.text(0.5, 0.5, told, transform=ax.transAxes, ha="center", color=FAINT)


def _draw_tried(ax: "Axes", row: Row, points: Sequence[Tried], look: Look) -> None:
    dots = [(t.value, run.final(row.selected_on)) for t in points for run in t.runs if not run.diverged]
    ax.plot(
        [x for x, _ in dots],
        drawable(y for _, y in dots),
        look.marker.matplotlib,
        color=look.color,
        markersize=4.5,
        alpha=0.6,
        markeredgewidth=0,
    )
    ax.plot(
        [t.value for t in points],
        drawable(t.median for t in points),
        color=look.color,
        linestyle=look.dash.matplotlib,
        linewidth=2,
    )
    chosen = [t for t in points if t.value == row.hyperparameters.get("lr") and math.isfinite(t.median)]
    ax.plot(
        [t.value for t in chosen],
        [t.median for t in chosen],
        "o",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=INK,
        markeredgewidth=1.4,
        zorder=5,
    )


def _draw_divergences(ax: "Axes", gone: Sequence[tuple[Look, Sequence[Tried]]]) -> None:
    """A line of x for each optimizer above the panel, so that none hides another."""
    if not gone:
        return
    line = LINE / height_of(ax)
    ax.plot([0, 1], [1, 1], transform=ax.transAxes, color=RULE, linewidth=0.8, clip_on=False)
    ax.text(
        -0.012,
        1 + len(gone) * line / 2,
        "diverged",
        transform=ax.transAxes,
        ha="right",
        va="center",
        fontsize=9,
        color=FAINT,
    )
    for i, (look, points) in enumerate(gone):
        values = [t.value for t in points if any(run.diverged for run in t.runs)]
        ax.plot(
            values,
            [1 + (i + 0.5) * line] * len(values),
            "x",
            transform=ax.get_xaxis_transform(),
            color=look.color,
            markersize=5.5,
            markeredgewidth=1.7,
            clip_on=False,
        )


def _draw_legend(ax: "Axes", panel: Panel, styles: dict[str, Look]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for row in panel.rows:
        look = styles[row.optimizer]
        handle = Line2D([], [], color=look.color, marker=look.marker.matplotlib, markersize=5)
        handle.set_linestyle(look.dash.matplotlib)
        handle.set_label(shortened(row.optimizer, 20))
        handles.append(handle)
    legend = ax.legend(handles=handles, loc="upper left", handlelength=2.2)
    legend.set_bbox_to_anchor((1.0, 1.02))

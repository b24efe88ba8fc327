"""The picture in place of the sensitivity where one learning rate was tried: the final losses, row by row."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from fallline.report.canvas import FAINT, INK, RULE, WIDTH, loss_scale, plain_ticks
from fallline.report.colors import Look
from fallline.report.panels import condition, foremost_rows
from fallline.report.words import filled, quantity_text, setting_parts
from fallline.study import Row, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 24
"""How many rows of a problem are drawn."""
NAME = 46
TOP, HEAD, FOOT, RIGHT, LINE, GAP, LETTER = 0.6, 0.45, 0.65, 1.1, 0.17, 0.15, 0.083
"""Characters in a line of a name; inches above all, above and beneath a panel, beside it, of a line of a name, between
rows, of a letter.
"""


def draw_finals(results: StudyResults, styles: Mapping[str, Look]) -> "Figure":
    """One panel for each problem and in it one line for each row of the ranking, best first: every seed a point, the
    median a bar, x at the right for those that diverged.
    """
    from matplotlib.figure import Figure

    problems = dict.fromkeys(row.problem for row in results.ranking)
    every = {name: [row for row in results.ranking if row.problem == name] for name in problems}
    shown = {name: foremost_rows(rows, MOST) for name, rows in every.items()}
    names = {name: [_name(results, row) for row in rows] for name, rows in shown.items()}
    heights = [sum(map(_height, own)) for own in names.values()]
    total = TOP + sum(heights) + len(heights) * (HEAD + FOOT)
    longest = max(len(line) for own in names.values() for name in own for line in name.split("\n"))
    left = 0.4 + LETTER * longest
    figure = Figure(figsize=(WIDTH, total))
    top = total - TOP
    for (problem, rows), height in zip(shown.items(), heights, strict=True):
        top -= HEAD
        place = (left / WIDTH, (top - height) / total, (WIDTH - left - RIGHT) / WIDTH, height / total)
        ax = figure.add_axes(place)
        _draw(ax, rows, names[problem], styles)
        count = len(every[problem])
        ax.set_title(
            problem if count <= MOST else f"{problem}: {MOST} of {count} rows, best of each optimizer among them"
        )
        top -= height + FOOT
    return figure


def _draw(ax: "Axes", rows: Sequence[Row], names: Sequence[str], styles: Mapping[str, Look]) -> None:
    heights = list(map(_height, names))
    middles = [-sum(heights[:i]) - height / 2 for i, height in enumerate(heights)]
    ax.set_ylim(-sum(heights), 0)
    ax.set_yticks(middles, names)
    ax.tick_params(axis="y", length=0)
    quantity = rows[0].selected_on
    kept = []
    for row, y in zip(rows, middles, strict=True):
        look = styles[row.optimizer]
        finals = [run.final(quantity) for run in row.winners if not run.diverged]
        kept += [value for value in finals if math.isfinite(value)]
        ax.plot(finals, [y] * len(finals), "o", color=look.color, markersize=6, alpha=0.7, markeredgewidth=0)
        if math.isfinite(row.score):
            ax.plot([row.score] * 2, [y - 0.09, y + 0.09], color=INK, linewidth=2, solid_capstyle="butt", zorder=5)
        if gone := sum(run.diverged for run in row.winners):
            at = ax.get_yaxis_transform()
            ax.plot([1.03], [y], "x", transform=at, color=look.color, markersize=7, markeredgewidth=2.4, clip_on=False)
            told = f"{gone} of {len(row.winners)}" if len(row.winners) > 1 else "diverged"
            ax.text(1.055, y, told, transform=at, va="center", fontsize=9, color=FAINT)
    loss_scale(ax, kept, along="x")
    plain_ticks(ax)
    ax.set_xlabel(f"final {quantity_text(quantity)}")
    if not kept:
        ax.set_xticks([])
        ax.text(0.5, 0.5, "every run diverged", transform=ax.transAxes, ha="center", va="center", color=FAINT)
    ax.spines["left"].set_color(RULE)


def _name(results: StudyResults, row: Row) -> str:
    return filled([row.optimizer, *setting_parts({**condition(results, row), **row.told})], NAME)


def _height(name: str) -> float:
    return GAP + LINE * (name.count("\n") + 1)

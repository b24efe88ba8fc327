"""Pictures of several seeds: the curve of every run, and conditions joined seed by seed."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

from fallline.gallery.pictures import GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fallline.study.record import Record


def draw_runs(axes: "Axes", conditions: "Mapping[str, Sequence[Record]]", quantity: str, ylabel: str) -> None:
    """One thin line for every run, in the colour of its condition, over steps."""
    from fallline.report.colors import looks

    for name, look in looks(conditions).items():
        for place, run in enumerate(conditions[name]):
            axes.plot(
                run.curve["step"],
                run.curve[quantity],
                color=look.color,
                linestyle=look.dash.matplotlib,
                linewidth=0.9,
                alpha=0.7,
                label=name if place == 0 else None,
            )
    axes.set(xlabel="step", ylabel=ylabel)
    axes.legend(loc="best")


def draw_pairs(axes: "Axes", conditions: Mapping[str, Sequence[float]], ylabel: str, log: bool = False) -> None:
    """A column of points for each condition, a bar at its median, and a grey line for each seed."""
    from fallline.report.colors import looks

    places = range(len(conditions))
    for seed in zip(*conditions.values(), strict=True):
        axes.plot(places, [v if math.isfinite(v) else math.nan for v in seed], color=GREY, linewidth=0.5, alpha=0.5)
    for place, (name, look) in enumerate(looks(conditions).items()):
        values = conditions[name]
        axes.plot([place] * len(values), values, look.marker.matplotlib, color=look.color, markersize=5)
        axes.plot([place - 0.25, place + 0.25], [median(values)] * 2, color=look.color, linewidth=2)
    axes.set_xticks(places, list(conditions))
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel(ylabel)
    if log:
        axes.set_yscale("log")

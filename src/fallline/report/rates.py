"""The picture of a learning-rate search: the ramp, and the short trainings of the fan."""

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fallline.report.canvas import FAINT, INK, RULE, drawable, headline, loss_scale, plain_ticks
from fallline.report.colors import PALETTE
from fallline.training.rate_search import FoundRate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (12.0, 4.6)
LEFT, RIGHT = (0.065, 0.13, 0.41, 0.65), (0.565, 0.13, 0.41, 0.65)


def draw_rates(found: FoundRate) -> "Figure":
    """Two panels with the learning rate across: the loss along the ramp, and the loss after each short training."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE)
    told = "no suggestion" if found.suggestion is None else f"learning rate {found.suggestion:g}"
    headline(figure, f"{found.optimizer} on {found.problem}: {told}", textwrap.fill(found.reason, 160))
    _draw_ramp(figure.add_axes(LEFT), found)
    _draw_fan(figure.add_axes(RIGHT), found)
    return figure


def _draw_ramp(axes: "Axes", found: FoundRate) -> None:
    axes.set_title("Ramp: one step at each rate")
    axes.set_ylabel("loss of the batch")
    axes.plot(found.ramp.lr, drawable(found.ramp.loss), color=RULE, linewidth=0.9)
    axes.plot(found.ramp.lr, drawable(found.ramp.smoothed), color=PALETTE[0], linewidth=2)
    smoothed = [loss for loss in found.ramp.smoothed if math.isfinite(loss)]
    _scale(axes, found, [*smoothed, *(loss for loss in found.ramp.loss if loss < max(smoothed, default=0.0))])
    _say(axes, "thin: each batch\nbold: smoothed" if smoothed else "")


def _draw_fan(axes: "Axes", found: FoundRate) -> None:
    axes.set_title(f"Fan: {found.steps} steps at one rate" if found.fan else "Fan")
    axes.set_ylabel(f"final {found.compared_on} loss")
    sound = [trial for trial in found.fan if not trial.diverged]
    axes.plot(
        [trial.lr for trial in sound],
        [trial.loss for trial in sound],
        color=PALETTE[0],
        linewidth=2,
        marker="o",
        markersize=5,
    )
    gone = [trial.lr for trial in found.fan if trial.diverged]
    axes.plot(
        gone,
        [0.97] * len(gone),
        "x",
        transform=axes.get_xaxis_transform(),
        color=PALETTE[1],
        markersize=7,
        markeredgewidth=1.8,
    )
    _scale(axes, found, [trial.loss for trial in sound])
    _say(axes, "x: diverged" if gone else "")


def _say(axes: "Axes", told: str) -> None:
    axes.annotate(told, (0.02, 0.03), xycoords="axes fraction", fontsize=9, color=FAINT)


def _scale(axes: "Axes", found: FoundRate, losses: Sequence[float]) -> None:
    """Scales and ticks, the suggestion as a line; no ticks where nothing can be shown."""
    axes.set_xlabel("learning rate")
    axes.set_xscale("log")
    loss_scale(axes, losses)
    plain_ticks(axes)
    if not losses:
        axes.set_yticks([])
        told = "every training diverged" if found.fan else "nothing to show"
        axes.text(0.5, 0.5, told, transform=axes.transAxes, ha="center", color=FAINT)
    if not losses and not found.fan:
        axes.set_xticks([])
        axes.set_xticks([], minor=True)
    if found.suggestion is not None:
        axes.axvline(found.suggestion, color=INK, linewidth=1.2, linestyle="--")
        axes.annotate(
            f"{found.suggestion:g}",
            (found.suggestion, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(4, -12),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
        )

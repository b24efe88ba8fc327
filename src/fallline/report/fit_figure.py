"""The loss curves of one training as a still figure."""

import math
from pathlib import Path

import numpy as np

from fallline.fitting import FitResult
from fallline.report.canvas import (
    drawable,
    ending,
    grid,
    headline,
    height_of,
    label_ends,
    loss_scale,
    plain_ticks,
    styled,
)
from fallline.report.canvas import save as save_figure
from fallline.report.colors import PALETTE
from fallline.report.curves import NAME_HEIGHT
from fallline.report.words import SPLITS, setting_text, shortened


def save_fit(fit: FitResult, path: str | Path) -> Path:
    """Draw training, validation and test loss against the step, as PNG, PDF or SVG by the path's ending.

    A dot marks the evaluation of the weights that were kept, x the last before a divergence.
    """
    from matplotlib.ticker import MaxNLocator

    path = Path(path)
    ending(path)
    curve = fit.curve
    losses = {split: drawable(curve[f"{split}_loss"]) for split in SPLITS if f"{split}_loss" in curve}
    with styled():
        figure, (ax,) = grid(1, 4.6, len(losses))
        ends = []
        for (split, values), color in zip(losses.items(), PALETTE, strict=False):
            ax.plot(curve["step"], values, color=color, linewidth=2.0)
            kept = np.flatnonzero(np.isfinite(values))
            last = kept[-1] if len(kept) else 0
            place = last if fit.outcome.diverged else fit.record.evaluation
            mark = "x" if fit.outcome.diverged else "o"
            ax.plot(curve["step"][place], values[place], mark, color=color, markersize=7, clip_on=False, zorder=3)
            ends.append((float(values[last]), f"{SPLITS[split]} loss", color))
        loss_scale(ax, [float(value) for values in losses.values() for value in values if math.isfinite(value)])
        ax.set_xlim(0, curve["step"][-1] or 1)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("step")
        ax.set_ylabel("loss")
        plain_ticks(ax)
        label_ends(ax, ends, NAME_HEIGHT / height_of(ax))
        record = fit.record
        told = f"{record['optimizer']} ({setting_text(fit.setting)})"
        headline(figure, shortened(f"{record['problem']}, {told}", 80), _explained(fit))
        return save_figure(figure, path)


def _explained(fit: FitResult) -> str:
    if fit.outcome.diverged:
        return f"x: diverged at step {fit.outcome.step:,}"
    kept = fit.curve["step"][fit.record.evaluation]
    return f"dot: the weights that were kept, of step {kept:,.0f}"

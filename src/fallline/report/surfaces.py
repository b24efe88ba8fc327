"""The picture of a path on a surface."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fallline.problems import Surface
from fallline.report.canvas import INK, Array, headline
from fallline.report.words import counted, number, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Window = tuple[tuple[float, float], tuple[float, float]]

PATH = "#D55E00"
GRID_POINTS = 320
LEVELS = 22
WIDEST = 2.0
"""How many times its own size a surface's window may grow to show a path."""
ACROSS = 6.9
TALLEST, LOWEST = 7.5, 3.6
"""Inches."""


def draw_trace(path: Array, surface: Surface, rule: str) -> "Figure":
    """Contours of a surface with a path on it: one dot for each step; start, end and minima marked."""
    from matplotlib.figure import Figure

    finite = path[: _first(np.any(~np.isfinite(path), axis=1))]
    window = _window(surface, finite)
    across, up = (high - low for low, high in window)
    tall = min(max(ACROSS * up / across, LOWEST), TALLEST)
    total = tall + 1.4
    figure = Figure(figsize=(ACROSS + 1.1, total))
    ax = figure.add_axes((0.8 / (ACROSS + 1.1), 0.55 / total, ACROSS / (ACROSS + 1.1), tall / total))
    _draw_contours(ax, surface, window)
    ax.set(xlim=window[0], ylim=window[1], xlabel="x1", ylabel="x2")
    _draw_path(ax, finite, surface, window)
    ax.grid(visible=False)
    headline(figure, shortened(f"{rule} on {surface.name}", 66), _story(path, finite, surface, window))
    return figure


def _draw_contours(ax: "Axes", surface: Surface, window: Window) -> None:
    x, y = (np.linspace(low, high, GRID_POINTS) for low, high in window)
    mesh = np.meshgrid(x, y)
    z = surface.function(*(torch.from_numpy(side) for side in mesh)).numpy()
    if surface.minima:
        bottom = min(_value(surface, np.array(minimum)) for minimum in surface.minima)
        above = z - bottom
        levels = bottom + np.geomspace(max(np.quantile(above, 0.003), above.max() * 1e-9), above.max(), LEVELS)
    else:
        levels = np.unique(np.quantile(z, np.linspace(0, 1, LEVELS)))
    shades = np.linspace(0, 1, len(levels) + 1)
    from matplotlib import colormaps

    colors = colormaps["Blues_r"](0.25 + 0.72 * shades)
    ax.contourf(x, y, z, levels=levels, colors=colors, extend="both")
    ax.contour(x, y, z, levels=levels, colors="#FFFFFF", linewidths=0.5, linestyles="solid")


def _draw_path(ax: "Axes", path: Array, surface: Surface, window: Window) -> None:
    for minimum in surface.minima:
        ax.plot(*minimum, "*", color="#F0E442", markeredgecolor=INK, markersize=15)
    # Beyond the step that leaves the picture for good, a wild path would only cross it out.
    inside = np.flatnonzero(~_outside(path, window))
    drawn = path[: inside[-1] + 2] if len(inside) else path[:2]
    ax.plot(*drawn.T, color="#FFFFFF", linewidth=3.4)
    ax.plot(*drawn.T, color=PATH, linewidth=1.7, marker="o", markersize=4.2, markeredgewidth=0)
    for where, marker, name, above in ((path[0], "o", "start", True), (path[-1], "s", "end", False)):
        ax.plot(*where, marker, color="#FFFFFF", markeredgecolor=INK, markeredgewidth=1.5, markersize=8, zorder=5)
        if not _outside(where[None], window)[0]:
            _name_point(ax, where, name, above)


def _name_point(ax: "Axes", where: Array, name: str, above: bool) -> None:
    """A name beside a point, on the side where there is room."""
    x, y = ax.transAxes.inverted().transform(ax.transData.transform(where))
    above = y < 0.06 or (above and y < 0.94)
    ax.annotate(
        name,
        (where[0], where[1]),
        xytext=(9 if x < 0.92 else -9, 9 if above else -9),
        textcoords="offset points",
        ha="left" if x < 0.92 else "right",
        va="bottom" if above else "top",
        fontweight="bold",
        bbox={"boxstyle": "round,pad=0.2", "facecolor": "#FFFFFF", "edgecolor": "none", "alpha": 0.8},
        zorder=6,
    )


def _window(surface: Surface, path: Array) -> Window:
    """The surface's own window, grown to hold the path unless that goes too far away."""
    grown = []
    for (low, high), side in zip(surface.window, path.T, strict=True):
        size = high - low
        most = (WIDEST - 1) * size / 2
        near = side[(side >= low - most) & (side <= high + most)]
        least, largest = (near.min(), near.max()) if len(near) else (low, high)
        margin = 0.04 * size
        grown.append((min(low, float(least) - margin), max(high, float(largest) + margin)))
    return grown[0], grown[1]


def _story(path: Array, finite: Array, surface: Surface, window: Window) -> str:
    """What happened on the way, in words."""
    before, after = _value(surface, path[0]), _value(surface, finite[-1])
    verb = "falls" if after < before else "rises" if after > before else "stays"
    parts = [
        f"{counted(len(path) - 1, 'step')} from {_point(path[0])}, a dot each",
        f"f {verb} from {number(before)} to {number(after)}",
    ]
    if surface.minima:
        parts.append("star: minimum")
    if len(finite) < len(path):
        parts.append(f"not finite from step {len(finite)} on")
    elif (outside := _outside(path, window)).any():
        parts.append(f"leaves the picture at step {_first(outside)}")
    return "; ".join(parts)


def _outside(path: Array, window: Window) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    (left, right), (low, high) = window
    x, y = path.T
    outside: np.ndarray[Any, np.dtype[np.bool_]] = (x < left) | (x > right) | (y < low) | (y > high)
    return outside


def _first(marks: Any) -> int:
    """The place of the first mark; the length where there is none."""
    return int(marks.argmax()) if marks.any() else len(marks)


def _value(surface: Surface, point: Array) -> float:
    return float(surface.function(*torch.from_numpy(np.array(point, dtype=np.float64))))


def _point(point: Array) -> str:
    return f"({point[0]:.4g}, {point[1]:.4g})"

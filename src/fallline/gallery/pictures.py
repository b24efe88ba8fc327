"""The pictures of the gallery: paths on a surface, and curves against what they are held to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fallline.problems import Surface

GRID = 200
CONTOURS = 18
GREY = "#6B6B6B"


def figure(title: str, columns: int = 2) -> "tuple[Figure, list[Axes]]":
    """An empty picture with panels side by side."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(5.6 * columns if columns > 1 else 7.6, 4.8), layout="constrained")
    drawn.suptitle(title)
    axes = drawn.subplots(1, columns, squeeze=False)
    return drawn, list(axes[0])


def save(drawn: "Figure", path: Path) -> Path:
    """Write a picture."""
    from fallline.report import canvas

    for axes in drawn.axes:
        canvas.plain_ticks(axes)
    return canvas.save(drawn, path)


def draw_paths(axes: "Axes", surface: "Surface", paths: Mapping[str, Any]) -> None:
    """Contours of a surface in its window, the path of each optimizer on it, and the minima as stars."""
    from fallline.report.colors import looks

    (left, right), (bottom, top) = surface.window
    x1, x2 = np.meshgrid(np.linspace(left, right, GRID), np.linspace(bottom, top, GRID))
    values = values_on(surface, np.stack([x1, x2], axis=-1).reshape(-1, 2)).reshape(x1.shape)
    axes.contour(
        x1,
        x2,
        values,
        levels=values.min() + np.ptp(values) * np.geomspace(1e-4, 1, CONTOURS),
        cmap="Greys_r",
        linewidths=0.6,
    )
    for label, look in looks(paths).items():
        path = paths[label]
        size = 3.5 if len(path) <= 60 else 1.5
        axes.plot(
            *path.T,
            color=look.color,
            linewidth=1,
            marker=look.marker.matplotlib,
            markersize=size,
            label=label,
        )
        axes.plot(*path[0], color=look.color, marker="o", markersize=8, fillstyle="none")
    for minimum in surface.minima:
        axes.plot(*minimum, color="black", marker="*", markersize=10, linestyle="none")
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel="x1", ylabel="x2")
    axes.grid(visible=False)
    axes.legend(loc="upper right", frameon=True)


def draw_series(
    axes: "Axes",
    series: Mapping[str, Any],
    ylabel: str,
    bounds: Mapping[str, float] | None = None,
    x: Sequence[float] | None = None,
    xlabel: str = "step",
    log: bool = True,
) -> None:
    """Lines over steps (or over `x`), and level lines that they are held to."""
    from matplotlib.ticker import MaxNLocator

    from fallline.report.colors import looks

    for label, look in looks(series).items():
        values = np.asarray(series[label])
        axes.plot(
            np.arange(len(values)) if x is None else x,
            values,
            color=look.color,
            linestyle=look.dash.matplotlib,
            linewidth=1.3,
            marker="." if len(values) <= 60 else "",
            label=label,
        )
    for (name, value), dash in zip((bounds or {}).items(), ("--", ":", "-."), strict=False):
        axes.axhline(value, color=GREY, linestyle=dash, linewidth=1, label=name)
    if log:
        axes.set_yscale("log")
    if x is None or all(float(value).is_integer() for value in x):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(loc="best")


def values_on(surface: "Surface", points: Any) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The surface's value at each point of an array of shape (n, 2)."""
    import torch

    x1, x2 = torch.as_tensor(np.ascontiguousarray(points), dtype=torch.float64).T
    return np.asarray(surface.function(x1, x2))

"""How still figures look, and how they are written: no global state of matplotlib is left changed."""

import io
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fallline.errors import InputError
from fallline.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

Array = np.ndarray[Any, np.dtype[np.float64]]

INK = "#222222"
FAINT = "#767676"
GRID = "#E4E4E4"
RULE = "#9A9A9A"
STYLE: Any = {
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.solid_capstyle": "round",
    "svg.hashsalt": "fallline",
}
RESOLUTION = 160
WIDTH, WIDE = 10.0, 12.0
HEAD, BETWEEN = 0.72, 0.95
LINE, TITLE_LINE = 0.13, 0.19
"""Inches: a figure of one column and of two, above the panels and between them, a line of divergences, of a title."""
UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Equal studies give equal files."""


@contextmanager
def styled() -> Iterator[None]:
    """matplotlib's own defaults with this style on top, whatever the user has set; put back afterwards."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def ending(path: Path) -> str:
    """The format that a path's ending asks for; InputError for one that cannot be written."""
    kind = path.suffix.lower().removeprefix(".") or "png"
    if kind not in ("png", "pdf", "svg"):
        raise InputError(f"A figure is written as .png, .pdf or .svg; got {path.name!r}.")
    return kind


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure whole or not at all."""
    kind = ending(path)
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(picture, format=kind, dpi=RESOLUTION, metadata=UNDATED.get(kind))
    write_whole(path, picture.getvalue())
    return path


def grid(count: int, height: float, names: int, band: float = 0.0) -> "tuple[Figure, list[Axes]]":
    """Panels in one column, or in two if there are more: room for names at the right, for a band above each."""
    from matplotlib.figure import Figure

    columns = 1 if count == 1 else 2
    lines = math.ceil(count / columns)
    height = max(height, 0.19 * names + 0.3)
    total = HEAD + lines * (height + band + BETWEEN)
    left, room = (0.8, 2.3) if columns == 1 else (0.85, 1.75)
    across = WIDTH if columns == 1 else WIDE
    width = across / columns - left - room
    figure = Figure(figsize=(across, total))
    axes = []
    for i in range(count):
        line, column = divmod(i, columns)
        x = left + column * across / columns
        y = total - HEAD - line * (height + band + BETWEEN) - 0.3 - band - height
        axes.append(figure.add_axes((x / across, y / total, width / across, height / total)))
    return figure, axes


def title_width(count: int) -> int:
    """How many characters of a title have room above one of so many panels."""
    return 80 if count == 1 else 46


def room_for(titles: Iterable[str]) -> float:
    """The height in inches that the longest title's lines beyond the first take."""
    return TITLE_LINE * max(title.count("\n") for title in titles)


def loss_scale(axes: "Axes", values: Sequence[float], along: Literal["x", "y"] = "y") -> None:
    """Limits and scale for losses: logarithmic where all are above 0, and next to it where some are 0."""
    if not values:
        return
    set_scale, set_limits = getattr(axes, f"set_{along}scale"), getattr(axes, f"set_{along}lim")
    low, high = min(values), max(values)
    if low > 0:
        set_scale("log")
        margin = max((high / low) ** 0.05, 1.02)
        set_limits(low / margin, high * margin)
    elif low == 0 and high > 0:
        set_scale("symlog", linthresh=min(value for value in values if value > 0))
        set_limits(0, high * 1.1)
    else:
        margin = 0.05 * (high - low) or 1.0
        set_limits(low - margin, high + margin)


def drawable(values: Iterable[float]) -> Array:
    """Values with NaN, which is left out of a line, for all that is not finite."""
    array = np.array(list(values), dtype=np.float64)
    array[~np.isfinite(array)] = np.nan
    return array


def height_of(axes: "Axes") -> float:
    """The height of a panel in inches."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    return float(axes.get_position().height * figure.get_figheight())


def headline(figure: "Figure", title: str, explanation: str) -> None:
    """The title of a figure and a line that says how to read it, at the upper left."""
    height = figure.get_figheight()
    figure.text(0.012, 1 - 0.12 / height, title, fontsize=13, fontweight="bold", va="top")
    figure.text(0.012, 1 - 0.40 / height, explanation, fontsize=9.5, color=FAINT, va="top")


def label_ends(axes: "Axes", ends: list[tuple[float, str, str]], gap: float) -> "list[Text]":
    """Name lines at the right of the axes, each at the height of its end, `gap` of the axes' height apart at least.

    `ends` holds height in data, text and colour.
    """
    low, high = axes.get_ylim()
    inverse = axes.transAxes.inverted()
    height = [float(inverse.transform(axes.transData.transform((1, min(max(end[0], low), high))))[1]) for end in ends]
    order = sorted(range(len(ends)), key=lambda i: height[i])
    texts = []
    for i, place in zip(order, _apart([height[i] for i in order], gap), strict=True):
        axes.plot(
            [1.005, 1.03],
            [height[i], place],
            transform=axes.transAxes,
            color=ends[i][2],
            linewidth=0.8,
            clip_on=False,
        )
        texts.append(
            axes.text(
                1.038, place, ends[i][1], transform=axes.transAxes, color=darker(ends[i][2]), fontsize=9.5, va="center"
            )
        )
    return texts


def darker(color: str) -> str:
    """A colour as text can bear it on white.

    >>> darker("#56B4E9")
    '#3C7EA3'
    """
    return "#" + "".join(f"{round(0.7 * int(color[i : i + 2], 16)):02X}" for i in (1, 3, 5))


def plain_ticks(axes: "Axes") -> None:
    """Ticks of logarithmic axes as plain numbers, and enough of them where an axis spans little."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    scales = ((axes.xaxis, axes.get_xscale(), axes.get_xlim()), (axes.yaxis, axes.get_yscale(), axes.get_ylim()))
    for axis, scale, (low, high) in scales:
        if scale != "log":
            continue
        decades = math.log10(high / low)
        if decades < 2.2:
            subs = (1, 2, 5) if decades > 0.8 else (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
            axis.set_major_locator(LogLocator(subs=subs, numticks=30))
            axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: _plain(value)))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def _plain(value: float) -> str:
    if 1e-4 < value < 1e5:
        return f"{value:.10g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _apart(places: list[float], gap: float) -> list[float]:
    """Ascending places moved to lie a gap apart: blocks of neighbours about their mean, none above 1."""
    blocks = [[place, 1.0] for place in places]
    merged: list[list[float]] = []
    for block in blocks:
        merged.append(block)
        while len(merged) > 1 and _top(merged[-2], gap) + gap > _bottom(merged[-1], gap):
            upper = merged.pop()
            lower = merged.pop()
            count = lower[1] + upper[1]
            merged.append([(lower[0] * lower[1] + upper[0] * upper[1]) / count, count])
    spread = [_bottom(block, gap) + i * gap for block in merged for i in range(int(block[1]))]
    return [min(place, 1 - (len(spread) - 1 - i) * gap) for i, place in enumerate(spread)]


def _top(block: list[float], gap: float) -> float:
    return block[0] + (block[1] - 1) * gap / 2


def _bottom(block: list[float], gap: float) -> float:
    return block[0] - (block[1] - 1) * gap / 2

"""How an optimizer looks: one colour, dash and marker each, the same in figures, page and terminal."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B6B6B")
"""Okabe and Ito's colours, told apart by colour-blind readers, without their yellow, too pale on white."""


@dataclass(frozen=True)
class Dash:
    """A way to draw a line, as matplotlib and plotly spell it."""

    matplotlib: Literal["-", "--", ":", "-."]
    plotly: str


@dataclass(frozen=True)
class Marker:
    """A way to draw a point, as matplotlib and plotly spell it."""

    matplotlib: str
    plotly: str


DASHES = (Dash("-", "solid"), Dash("--", "dash"), Dash(":", "dot"), Dash("-.", "dashdot"))
MARKERS = (
    Marker("o", "circle"),
    Marker("s", "square"),
    Marker("^", "triangle-up"),
    Marker("D", "diamond"),
    Marker("v", "triangle-down"),
    Marker("P", "cross"),
    Marker("h", "hexagon"),
    Marker("p", "pentagon"),
    Marker("*", "star"),
)
"""No x among them: that marks a divergence."""


@dataclass(frozen=True)
class Look:
    """The colour, dash and marker of one optimizer."""

    color: str
    dash: Dash
    marker: Marker


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """The look of each optimizer, by its place in the specification.

    Beyond seven optimizers the colours come again, with another dash and other markers.

    >>> looks(["sgd", "adam"])["adam"].color
    '#D55E00'
    """
    return {
        label: Look(PALETTE[i % len(PALETTE)], DASHES[i // len(PALETTE) % len(DASHES)], MARKERS[i % len(MARKERS)])
        for i, label in enumerate(labels)
    }

"""Dropout and Dropout2d: what they do to a tensor in training and in evaluation."""

from typing import TYPE_CHECKING, Any

from fallline.gallery.entry import Entry, Setting, Shown, below, holds, printed, within
from fallline.gallery.pictures import GREY, figure, save

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED = (
    "-1.5256 -0.7502 -0.6540 -1.6095 -0.1002 -0.6092 -0.9798 -1.6091 -0.7121 1.1712 1.7674 -0.0954 0.1394 -1.5785 "
    "-0.3206 -0.2993 1.8793 0.3357 0.2753 1.7163 -0.0561 0.9107 -1.3924 2.6891 -0.1110"
)
"""The published 5 x 5 input, row by row."""
DRAWS = 4_000
DARK = 2.5
DEVIATIONS = 5
"""How many standard deviations of chance a mean may lie from its expectation."""


def dropout(setting: Setting) -> Shown:
    """The published 5 x 5 input, and 4,000 draws of each layer."""
    import torch
    from torch import nn

    from fallline.randomness import forked

    with forked():
        torch.manual_seed(1)
        x = torch.randn(5, 5)
        once = nn.Dropout(0.5)(x)
        channels = torch.randn(1, 6, 4, 4)
        maps = nn.Dropout2d(0.5)(channels)
        rows = torch.stack([nn.Dropout(0.5)(x) for _ in range(DRAWS)])
        fourth = torch.stack([nn.Dropout(0.25)(x) for _ in range(DRAWS)])
        whole = torch.cat([nn.Dropout2d(0.5)(channels) for _ in range(DRAWS)])
        at_rest = {
            "Dropout": torch.equal(nn.Dropout(0.5).eval()(x), x),
            "Dropout2d": torch.equal(nn.Dropout2d(0.5).eval()(channels), channels),
        }
    checks = (
        printed("manual_seed(1), randn(5, 5): the published input", x.flatten().tolist(), PUBLISHED),
        holds(
            f"Dropout(0.5): outputs that are neither 0 nor exactly twice their input, {DRAWS} draws",
            "none",
            _neither(rows, x, 2),
            _neither(rows, x, 2) == 0,
        ),
        holds(
            "Dropout2d(0.5): the same",
            "none",
            _neither(whole, channels[0], 2),
            _neither(whole, channels[0], 2) == 0,
        ),
        holds(
            "Dropout2d(0.5): channels that are dropped in part",
            "none",
            _parted(whole),
            _parted(whole) == 0,
        ),
        holds(
            "Dropout(0.25): outputs that are neither 0 nor 4/3 of their input",
            "none",
            _neither(fourth, x, 4 / 3),
            _neither(fourth, x, 4 / 3) == 0,
        ),
        *(
            within(
                f"{name}: part that is dropped, of {DRAWS} draws of {each} at rate {rate:g}",
                float((dropped == 0).double().mean()),
                rate - _chance(rate, DRAWS * each),
                rate + _chance(rate, DRAWS * each),
            )
            for name, dropped, rate, each in (
                ("Dropout", rows, 0.5, 25),
                ("Dropout", fourth, 0.25, 25),
                ("Dropout2d", whole, 0.5, 6),
            )
        ),
        below(
            f"mean of {DRAWS} draws less the input, in standard deviations of chance, largest of all elements",
            [
                _off(rows, x, 0.5),
                _off(fourth, x, 0.25),
                _off(whole, channels[0], 0.5),
            ],
            DEVIATIONS,
        ),
        holds(
            "evaluation",
            "the input, bit for bit",
            ", ".join(f"{name}: {'equal' if equal else 'changed'}" for name, equal in at_rest.items()),
            all(at_rest.values()),
        ),
    )
    drawn, panels = figure("Dropout(0.5) of randn(5, 5), and Dropout2d(0.5) of six channels", columns=4)
    _draw_matrix(panels[0], x, "input")
    _draw_matrix(panels[1], once, "training: 0 or twice the input")
    _draw_matrix(panels[2], _side_by_side(maps[0]), "Dropout2d: whole channels", numbers=False)
    _draw_means(panels[3], rows, x)
    return Shown(checks, save(drawn, setting.picture("dropout")))


def _neither(outputs: "Tensor", x: "Tensor", scale: float) -> int:
    """Outputs that are neither 0 nor the input times the scale; exact where the scale is a power of 2."""
    import torch

    kept = torch.isclose(outputs, scale * x, rtol=0 if scale == 2 else 1e-6, atol=0)
    return int((~((outputs == 0) | kept)).sum())


def _parted(outputs: "Tensor") -> int:
    """Channels of (draws, channels, height, width) of which some elements are 0 and others are not."""
    dropped = (outputs == 0).flatten(2)
    return int((dropped.any(2) != dropped.all(2)).sum())


def _chance(rate: float, draws: int) -> float:
    return float(DEVIATIONS * (rate * (1 - rate) / draws) ** 0.5)


def _off(outputs: "Tensor", x: "Tensor", rate: float) -> float:
    """A draw is x / (1 - rate) or 0: its variance is x^2 rate / (1 - rate)."""
    deviation = x.double().abs() * (rate / (1 - rate) / DRAWS) ** 0.5
    return float(((outputs.double().mean(0) - x) / deviation).abs().max())


def _side_by_side(channels: "Tensor") -> "Tensor":
    """Six channels (6, 4, 4) as three rows of two, a row and a column of NaN between them."""
    import torch

    framed = torch.nn.functional.pad(channels, (0, 1, 0, 1), value=torch.nan)
    return torch.cat([torch.cat([framed[2 * row], framed[2 * row + 1]], 1) for row in range(3)])[:-1, :-1]


def _draw_matrix(axes: Any, matrix: "Tensor", title: str, numbers: bool = True) -> None:
    axes.imshow(matrix.numpy(), cmap="RdBu_r", vmin=-4, vmax=4)
    if numbers:
        for row, values in enumerate(matrix.tolist()):
            for column, value in enumerate(values):
                axes.annotate(
                    f"{value:.2f}" if value else "0",
                    (column, row),
                    ha="center",
                    va="center",
                    color="white" if abs(value) > DARK else "black",
                )
    axes.set(xticks=[], yticks=[], title=title)
    axes.grid(visible=False)


def _draw_means(axes: Any, outputs: "Tensor", x: "Tensor") -> None:
    from fallline.report.colors import PALETTE

    for draws, color in zip((10, 100, DRAWS), (PALETTE[5], PALETTE[1], PALETTE[0]), strict=True):
        axes.plot(x.flatten(), outputs[:draws].mean(0).flatten(), ".", color=color, label=f"mean of {draws} draws")
    axes.axline((0, 0), slope=1, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlabel="input", ylabel="output", title="the expectation is kept")
    axes.legend(loc="upper left")


ENTRIES = (
    Entry(
        "dropout",
        "Dropout: zero or twice",
        "In training each element is dropped, or divided by 1 - rate, so that the expectation stays what it was; "
        "Dropout2d drops whole channels; in evaluation nothing changes. manual_seed(1) and randn(5, 5) give the "
        "published input digit for digit; the mask that was published with it is not compared, because it differs "
        "between versions of torch.",
        dropout,
    ),
)

"""Underfitting, fitting and overfitting: polynomials of three degrees on the data of a cubic."""

from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Entry, Setting, Shown, above, within
from fallline.gallery.paired import final, gap, lowers, raises
from fallline.gallery.pictures import GREY, figure, save

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fallline.study.record import Record

DEGREES = {"underfitting": 1, "fitting": 3, "overfitting": 19}
DRAWS = 12
SHOWN = 1
STEPS = 30
NOISE = 0.01
CLASSIC_EPOCHS = 400


def fitting(setting: Setting) -> Shown:
    """Three degrees on twelve draws of the data, fitted as well as they can be; and by plain descent on one."""
    from fallline.gallery.polynomial_problem import polynomial

    problems = [polynomial(draw) for draw in range(DRAWS)]
    results = fl.compare(
        problems,
        ["torch.optim.LBFGS:lr=0.5,max_iter=5"],
        protocol="sweep",
        vary={"degree": list(DEGREES.values())},
        batch_sizes=[100],
        steps=STEPS,
        seeds=1,
        threads=1,
        store=setting.store("fitting"),
        progress=setting.progress,
    )
    by_degree = {name: [r for r in results.records if r["factors"]["degree"] == d] for name, d in DEGREES.items()}
    under, right, over = by_degree.values()
    classic = fl.compare(
        problems[SHOWN],
        [fl.rules.SGD(lr=0.01)],
        protocol="sweep",
        vary={"degree": [DEGREES["fitting"], DEGREES["overfitting"]]},
        batch_sizes=[10],
        epochs=CLASSIC_EPOCHS,
        seeds=1,
        threads=1,
        store=setting.store("fitting-classic"),
        progress=setting.progress,
    )
    slow = {r["factors"]["degree"]: r.final("train_loss") for r in classic.records}
    checks = (
        above(f"degree 1: training loss, least of {DRAWS} draws of the data", _least(under), 100 * NOISE),
        within("degree 3: training loss, all draws (noise: 0.01)", _finals(right, "train_loss"), 0.006, 0.016),
        within("degree 3: test loss, all draws", _finals(right, "test_loss"), 0.006, 0.016),
        raises("degree 1 less degree 3: training loss, draw by draw", under, right, final("train_loss")),
        lowers("degree 19 less degree 3: training loss", over, right, final("train_loss")),
        raises("degree 19 less degree 3: test loss", over, right, final("test_loss")),
        raises("degree 19 less degree 3: gap between test and training loss", over, right, gap),
        above(
            f"plain descent, lr 0.01, batch 10, {CLASSIC_EPOCHS} epochs: training loss of degree 19 over that of "
            "degree 3, which an overfitted model would have below 1",
            slow[19] / slow[3],
            1.0,
        ),
    )
    drawn, panels = figure("Polynomials on 100 points of a cubic with noise, the second of 12 draws", columns=3)
    low, high = NOISE / 2, 60.0
    for axes, (name, degree) in zip(panels, DEGREES.items(), strict=True):
        _draw(axes, by_degree[name][SHOWN])
        axes.set_title(f"{name}: degree {degree}")
        axes.set_ylim(low, high)
    return Shown(checks, save(drawn, setting.picture("fitting")))


def _finals(records: "Sequence[Record]", quantity: str) -> list[float]:
    return [record.final(quantity) for record in records]


def _least(records: "Sequence[Record]") -> float:
    return min(_finals(records, "train_loss"))


def _draw(axes: Any, run: "Record") -> None:
    from fallline.report.colors import PALETTE

    for (split, name), color, dash in zip(
        (("train_loss", "training loss"), ("test_loss", "test loss")), PALETTE, ("-", "--"), strict=False
    ):
        end = run.final(split)
        axes.plot(run.curve["step"], run.curve[split], dash, color=color, label=f"{name}: {end:.4g} at the end")
    axes.axhline(NOISE, color=GREY, linestyle=":", linewidth=1, label="noise, 0.1^2")
    axes.set(xlabel="step", ylabel="mean squared error", yscale="log")
    axes.legend(loc="upper right")


ENTRIES = (
    Entry(
        "fitting",
        "Underfitting, fitting, overfitting",
        "A straight line cannot follow a cubic; degree 3 ends at the noise on training and test data alike; degree 19 "
        "fits the training points better and new points worse, by how much depends on the draw. That takes an "
        "optimizer that gets there, here L-BFGS: 400 epochs of plain descent leave degree 19 above degree 3 on the "
        "training data of one draw too, so what looks like overfitting there is a fit that has not ended.",
        fitting,
    ),
)

"""Dead units: what a step too long does to a rectifier, counted and named."""

import math
from typing import Any

import fallline as fl
from fallline.gallery.entry import Entry, Setting, Shown, below, close_to, holds, within
from fallline.gallery.pictures import GREY, draw_series, figure, save
from fallline.gallery.study import study
from fallline.gallery.watched import names, silent, watched

EPOCHS = 5
UNITS = 200


def dead(setting: Setting) -> Shown:
    """A 784-200-10 network at lr 1 and at lr 0.01."""
    from fallline.gallery.enlarged import enlarged_digits
    from fallline.report.colors import PALETTE

    problem = enlarged_digits()
    rows = problem.train[0]
    columns, counted, curves = {}, {}, {}
    for lr in (1.0, 0.01):
        results = _train(setting, problem, lr)
        model: Any = results.best().model()
        counted[lr] = int((model[:2](rows) == 0).all(dim=0).sum())
        curves[f"lr {lr:g}"] = results.records[0].curve
        columns[lr] = watched(model, problem, len(rows), lr)
    found = {lr: int(column["dead_units/1"][0]) for lr, column in columns.items()}
    drawn, (losses, bars) = figure("Dead units: a 784-200-10 network on enlarged digits")
    draw_series(
        losses,
        {name: curve["train_loss"] for name, curve in curves.items()},
        "training loss",
        {"ln 10, guessing": math.log(10)},
        x=next(iter(curves.values()))["step"],
    )
    alive = [UNITS - count for count in counted.values()]
    bars.bar(list(curves), alive, 0.5, color=PALETTE[0], label="alive")
    bars.bar(list(curves), list(counted.values()), 0.5, alive, color=GREY, label="dead")
    bars.grid(visible=False, axis="x")
    bars.set(ylabel="hidden units", title=f"after {EPOCHS} epochs")
    bars.legend(loc="center")
    return Shown(
        (
            within("lr 1: hidden units, of 200, that give 0 for every training row", counted[1.0], 190, 200),
            holds(
                "dead units by the diagnostic, lr 1 and 0.01",
                f"those counted, {counted[1.0]} and {counted[0.01]}",
                f"{found[1.0]} and {found[0.01]}",
                found == counted,
            ),
            names(columns[1.0], "Dead units", f"{counted[1.0]} of 200 units of '1' (ReLU)"),
            silent("lr 0.01", [columns[0.01]]),
            close_to("lr 1: training loss at the end", curves["lr 1"]["train_loss"][-1], math.log(10), 0.01),
            below("lr 0.01: hidden units that give 0 for every training row", counted[0.01], 20),
        ),
        save(drawn, setting.picture("dead-units")),
    )


def _train(setting: Setting, problem: "fl.Problem", lr: float) -> "fl.Results":
    return study(
        setting,
        f"dead-units-{lr:g}",
        problem,
        [fl.rules.SGD(lr=lr)],
        batch_sizes=[64],
        epochs=EPOCHS,
        seeds=1,
    )


ENTRIES = (
    Entry(
        "dead-units",
        "Dead units",
        "A step too long can push a ReLU unit below zero for every input: it gives 0, gets no gradient, and never "
        "comes back. At a learning rate of 1 nearly all hidden units of this network are dead after five epochs: its "
        "loss is that of guessing, ln 10.",
        dead,
    ),
)

"""MNIST at a learning rate of 1: the loss leaps, the hidden units die, and what is left is guessing."""

import math
from itertools import pairwise
from typing import Any

import fallline as fl
from fallline.gallery.concise import in_means
from fallline.gallery.entry import Entry, Setting, Shown, above, below, holds, within
from fallline.gallery.mnist import BATCH, DRAWN_EVERY, STEPS_PER_EPOCH, symmetric, train
from fallline.gallery.pictures import draw_series, figure, save

SEEDS = 4
EPOCHS = 2
LEAP_STEPS = 20
UNITS = 200
HIDDEN = "dead_units/1"
LN_10 = (2.29, 2.32)
BOUNCING = (0.01, 0.1, 0.3)


def rate_1(setting: Setting) -> Shown:
    """Two epochs at lr 1 with four seeds, and at smaller rates."""
    from fallline.report.inside import record_columns

    problem = symmetric(setting)
    results = train(
        setting,
        "mnist-rate-1",
        problem,
        [fl.rules.SGD(lr=1.0)],
        seeds=SEEDS,
        epochs=EPOCHS,
        evaluate_every=DRAWN_EVERY,
        diagnostics="layers",
    )
    others = train(
        setting,
        "mnist-rate-1-smaller",
        problem,
        [f"sgd:lr={'|'.join(map(str, BOUNCING))}"],
        epochs=EPOCHS,
        evaluate_every=DRAWN_EVERY,
        diagnostics="layers",
    )
    runs = results.records
    leaps = [list(run.curve.losses.values())[:LEAP_STEPS] for run in runs]
    smaller = {f"lr {record['hyperparameters']['lr']:g}": record for record in others.records}
    rises = {name: _largest_rise(record) for name, record in smaller.items()}
    told = [" ".join(fl.diagnostics.findings(record_columns(run))) for run in runs]
    checks = (
        above(f"largest loss of the first {LEAP_STEPS} steps, {SEEDS} seeds", [max(losses) for losses in leaps], 10),
        within(
            f"hidden units that give 0 for a whole batch of {BATCH}, most in the first epoch, {SEEDS} seeds",
            [max(_in_epoch(run, HIDDEN, 1)) for run in runs],
            UNITS,
            UNITS,
        ),
        within(
            "hidden units that give 0 for all 60,000 images after 2 epochs, best seed",
            _dead_for_all(problem, results),
            190,
            UNITS,
        ),
        holds(
            "the diagnostic's sentences",
            "dead units of '1' named with every seed",
            told[0],
            all("Dead units: " in sentences and "of 200 units of '1' (ReLU)" in sentences for sentences in told),
        ),
        within(
            "least and largest training loss in the second epoch",
            [extreme(_in_epoch(run, "train_loss", 2)) for run in runs for extreme in (min, max)],
            *LN_10,
        ),
        within(
            "least and largest training accuracy in the second epoch (chance: 0.1)",
            [extreme(_in_epoch(run, "train_accuracy", 2)) for run in runs for extreme in (min, max)],
            0.08,
            0.13,
        ),
        holds(
            "how the trainings ended",
            "finished, as the loss is back at its start when an epoch ends",
            ", ".join(str(run.outcome.ending) for run in runs),
            not any(run.diverged for run in runs),
        ),
        below("largest rise of the training loss within 30 steps of the second epoch, lr 0.01", rises["lr 0.01"], 0.1),
        above("the same, lr 0.1 and 0.3", [rises["lr 0.1"], rises["lr 0.3"]], 0.1),
    )
    drawn, (start, losses, units) = figure("MNIST by gradient descent at lr 1, batches of 64", columns=3)
    draw_series(
        start,
        {f"lr 1, seed {seed}": values for seed, values in enumerate(leaps)},
        "loss of each step",
        {"ln 10": math.log(10)},
        x=range(1, LEAP_STEPS + 1),
    )
    means = {name: in_means(record, DRAWN_EVERY) for name, record in {**smaller, "lr 1": runs[0]}.items()}
    draw_series(
        losses,
        {name: list(of.values()) for name, of in means.items()},
        "training loss, mean of 30 steps",
        {"ln 10": math.log(10)},
        x=list(means["lr 1"]),
    )
    draw_series(
        units,
        {name: run.curve[HIDDEN][1:] for name, run in {**smaller, "lr 1": runs[0]}.items()},
        f"hidden units of {UNITS} that give 0 for a whole batch",
        x=runs[0].curve["step"][1:],
        log=False,
    )
    start.set_title("The first steps")
    losses.set_title("Two epochs")
    units.set_title("Dead units")
    units.set_ylim(0, 1.05 * UNITS)
    units.legend(loc="center right")
    return Shown(checks, save(drawn, setting.picture("mnist-rate-1")))


def _in_epoch(record: Any, quantity: str, epoch: int) -> list[float]:
    low, high = STEPS_PER_EPOCH * (epoch - 1), STEPS_PER_EPOCH * epoch
    return [
        value for step, value in zip(record.curve["step"], record.curve[quantity], strict=True) if low < step <= high
    ]


def _largest_rise(record: Any) -> float:
    """By what part of itself the training loss rises most from one record to the next."""
    losses = _in_epoch(record, "train_loss", 2)
    return max(after / before - 1 for before, after in pairwise(losses))


def _dead_for_all(problem: "fl.Problem", results: "fl.Results") -> int:
    model: Any = results.best().model()
    images, _ = problem.train
    return int(fl.diagnostics.dead_units(model[:2](images)).sum())


ENTRIES = (
    Entry(
        "mnist-rate-1",
        "MNIST by gradient descent at a rate of 1",
        "The tutorial says that the loss bounces at lr 1. It leaps, above 10 and often to 100, within the first ten "
        "steps, and after a hundred it is flat: the leap has pushed the hidden units so far down that all 200 give 0 "
        "for a whole batch (a few of them still answer one or the other of the 60,000 images), no gradient reaches "
        "their weights, and the output biases alone guess, ln 10. The bouncing is to be seen at lr 0.1, which learns "
        "all the same, and at lr 0.3, which hardly does, as nearly all its units are dead too.",
        rate_1,
    ),
)

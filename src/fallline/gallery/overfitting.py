"""What narrows the gap between test and training loss: penalties, dropout and early stopping on 200 digits."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Entry, Setting, Shown, above, below, holds, within
from fallline.gallery.paired import difference, final, gap, lowers, raises, runs, told
from fallline.gallery.pictures import GREY, figure, save
from fallline.gallery.seeds import draw_pairs, draw_runs

if TYPE_CHECKING:
    from fallline.study.record import Record

ROWS = 200
SEEDS = 10
EPOCHS = 40
BATCH = 40
PATIENCE = 3
HARSH = 1.0
DECIDED = ("L1", "L2", "dropout")
"""Of these the test loss falls with an interval below 0."""
TREATED: Mapping[str, tuple[str, float]] = {
    "L1": ("l1", 0.1),
    "L2": ("l2", 0.003),
    "dropout": ("dropout", 0.5),
    "early stopping": ("patience", PATIENCE),
}


def overfitting(setting: Setting) -> Shown:
    """Four treatments against none, and L1 ten times as strong."""
    penalised = _train(setting, "overfitting-l1", {"l1": [0.0, 0.1, HARSH]})
    plain = runs(penalised, l1=0.0)
    treated = {
        name: runs(penalised, l1=value)
        if factor == "l1"
        else runs(_train(setting, f"overfitting-{factor}", {factor: [value]}))
        for name, (factor, value) in TREATED.items()
    }
    harsh = runs(penalised, l1=HARSH)
    stopped = difference(treated["early stopping"], plain, final("test_loss"))
    settings = {name: f"{factor} {value:g}" for name, (factor, value) in TREATED.items()}
    checks = (
        below("no treatment: training loss, every seed", [run.final("train_loss") for run in plain], 0.01),
        above("no treatment: gap between test and training loss, every seed", [gap(run) for run in plain], 0.2),
        *(
            lowers(f"{settings[name]} less none: gap between test and training loss", several, plain, gap)
            for name, several in treated.items()
        ),
        *(
            lowers(f"{settings[name]} less none: test loss", treated[name], plain, final("test_loss"))
            for name in DECIDED
        ),
        holds(
            f"{settings['early stopping']} less none: test loss",
            "a median within 0.05 of 0",
            told(stopped, SEEDS),
            abs(stopped.median) <= 0.05,
        ),
        *(
            within(
                f"{settings[name]} less none: median of the differences in test accuracy, of 360 images",
                difference(several, plain, final("test_accuracy")).median,
                -0.02,
                0.02,
            )
            for name, several in treated.items()
        ),
        lowers(f"l1 {HARSH:g} less none: gap between test and training loss", harsh, plain, gap),
        below(f"l1 {HARSH:g}: gap between test and training loss, every seed", [abs(gap(run)) for run in harsh], 0.05),
        raises(f"l1 {HARSH:g} less none: test loss", harsh, plain, final("test_loss")),
        within(
            f"l1 {HARSH:g}: test loss, every seed; ln 10 = 2.303 is guessing",
            [run.final("test_loss") for run in harsh],
            2.28,
            2.33,
        ),
    )
    drawn, (curves, gaps, losses) = figure(f"{ROWS} digits, 64-64-64-10, Adam: ten seeds", columns=3)
    curves.set_title("two seeds")
    conditions = {"none": plain, **treated, f"L1 {HARSH:g}": harsh}
    draw_runs(curves, {name: conditions[name][:2] for name in ("none", "L2", "dropout")}, "test_loss", "test loss")
    curves.set_yscale("log")
    draw_pairs(
        gaps, {_short(n): [gap(r) for r in several] for n, several in conditions.items()}, "test less training loss"
    )
    finals = {_short(name): [run.final("test_loss") for run in several] for name, several in conditions.items()}
    draw_pairs(losses, finals, "test loss", log=True)
    return Shown(checks, save(drawn, setting.picture("overfitting")))


def early_stopping(setting: Setting) -> Shown:
    """The same training with and without patience, and the weights that come back."""
    from fallline.study.weights import load_weights

    problem = _small_digits()
    results = _compare(setting, "early-stopping", {"patience": [None, PATIENCE]})
    on, stopped = (runs(results.records, patience=patience) for patience in (None, PATIENCE))
    images, labels = problem.validation
    measured = []
    for run in stopped:
        model: Any = problem.make_model(run["factors"])
        model.load_state_dict(load_weights(results.folder, run.key))
        measured.append(float(problem.loss(model.eval()(images), labels).detach()))
    least = [min(run.curve["validation_loss"]) for run in stopped]
    restored = [run.outcome.restored for run in stopped]
    steps = [int(run.curve["step"][-1]) for run in stopped]
    checks = (
        below(
            f"validation loss of the weights that came back against the least of the curve, {SEEDS} seeds",
            [abs(a / b - 1) for a, b in zip(measured, least, strict=True)],
            1e-5,
        ),
        holds(
            "the step that is restored",
            "that of the least validation loss",
            restored,
            restored
            == [
                run.curve["step"][run.curve["validation_loss"].index(b)] for run, b in zip(stopped, least, strict=True)
            ],
        ),
        holds(
            f"steps from there to the end, {ROWS // BATCH} to an epoch",
            f"{PATIENCE * ROWS // BATCH} in every seed, that is {PATIENCE} epochs",
            [step - int(best or 0) for step, best in zip(steps, restored, strict=True)],
            all(step - int(best or 0) == PATIENCE * ROWS // BATCH for step, best in zip(steps, restored, strict=True)),
        ),
        holds(
            "losses up to the end, beside the training that goes on",
            "the same to the last bit",
            "the same" if all(map(_begins_like, stopped, on)) else "others",
            all(map(_begins_like, stopped, on)),
        ),
        lowers("validation loss with patience, less that of the last weights", stopped, on, final("validation_loss")),
        above(
            f"seeds of {SEEDS} in which the training that goes on finds a lower validation loss later",
            sum(min(run.curve["validation_loss"]) < best for run, best in zip(on, least, strict=True)),
            0,
        ),
        below(
            "steps with patience, part of the steps without",
            [step / run.curve["step"][-1] for step, run in zip(steps, on, strict=True)],
            1.0,
        ),
    )
    drawn, panels = figure(f"Early stopping, patience {PATIENCE} epochs", columns=2)
    for axes, going, stop in zip(panels, on, stopped, strict=False):
        _draw(axes, going, stop)
        axes.set_title(f"seed {stop['seed']}")
    return Shown(checks, save(drawn, setting.picture("early-stopping")))


def _small_digits() -> "fl.Problem":
    """200 digits to train on, 200 others to validate."""
    digits = fl.problems.load("digits", hidden="64-64")
    images, labels = digits.train
    return replace(
        digits,
        train=(images[:ROWS], labels[:ROWS]),
        validation=(images[-ROWS:], labels[-ROWS:]),
        name="small-digits",
        target=None,
    )


def _compare(setting: Setting, name: str, vary: Mapping[str, Sequence[Any]]) -> "fl.Results":
    return fl.compare(
        _small_digits(),
        [fl.rules.Adam(lr=0.005)],
        protocol="sweep",
        vary=vary,
        batch_sizes=[BATCH],
        epochs=EPOCHS,
        seeds=SEEDS,
        threads=1,
        store=setting.store(name),
        progress=setting.progress,
    )


def _train(setting: Setting, name: str, vary: Mapping[str, Sequence[Any]]) -> "Sequence[Record]":
    return _compare(setting, name, vary).records


def _begins_like(stopped: "Record", on: "Record") -> bool:
    count = len(stopped.curve["step"])
    return all(stopped.curve[name] == on.curve[name][:count] for name in ("step", "train_loss", "validation_loss"))


def _short(name: str) -> str:
    return name.replace(" ", "\n")


def _draw(axes: Any, on: "Record", stopped: "Record") -> None:
    from fallline.report.colors import PALETTE

    for quantity, name, color in zip(
        ("train_loss", "validation_loss"), ("training loss", "validation loss"), PALETTE, strict=False
    ):
        axes.plot(on.curve["step"], on.curve[quantity], "--", color=color, linewidth=1, label=f"{name}, going on")
        axes.plot(stopped.curve["step"], stopped.curve[quantity], color=color, linewidth=2, label=f"{name}, patience")
    axes.plot(
        stopped.outcome.restored, stopped.final("validation_loss"), "*", color="black", markersize=12, label="restored"
    )
    axes.axvline(stopped.curve["step"][-1], color=GREY, linestyle=":", linewidth=1, label="stopped")
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.legend(loc="lower left")


ENTRIES = (
    Entry(
        "overfitting",
        "Overfitting, and four ways against it",
        "On 200 digits Adam brings the training loss near zero and the test loss stays behind. L1, L2, dropout and "
        "early stopping each narrow the gap. The first three lower the test loss too; early stopping changes it "
        "little, and how many test digits are right hardly changes with any. A narrow gap is not the aim: L1 ten times "
        "as strong closes it, and the network only guesses.",
        overfitting,
    ),
    Entry(
        "early-stopping",
        "Early stopping restores the best weights",
        "The training ends when the validation loss has not been undercut for three epochs, and the weights of its "
        "least value come back. Up to there it is the training that goes on, bit for bit. It stops at a first hollow "
        "of the curve: some of the trainings that went on found a lower one later.",
        early_stopping,
    ),
)

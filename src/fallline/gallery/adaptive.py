"""RMSprop, Adadelta and Adam beside each other, and beside gradient descent whose rate is annealed."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

from fallline.gallery.entry import Check, Entry, Setting, Shown, below, holds
from fallline.gallery.pictures import figure, save
from fallline.gallery.seeds import draw_pairs
from fallline.gallery.tuned import Tuned, better, not_better, tune

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fallline.statistics import Verdict

ADAPTIVE = {"RMSprop": "rmsprop", "Adadelta": "adadelta", "Adam": "adam"}
ANNEALED = "SGD, cosine"
STEPS = 400
BATCH = 32
EVERY = 10
WITHIN = 1.05
"""Of Adam's median test loss: the target."""


def adaptive(setting: Setting) -> Shown:
    """The three and SGD with cosine annealing on digits and on made-up documents with rare words."""
    own, plain = _tune(setting, ADAPTIVE, "constant"), _tune(setting, {ANNEALED: "sgd"}, "cosine")
    digits, words = (three.beside(annealed) for three, annealed in zip(own, plain, strict=True))
    on_digits, on_words = digits.verdict(), words.verdict()
    steps = {"digits": _steps(digits), "words": _steps(words)}
    metric = f"number of steps to {WITHIN:g} times Adam's median test loss"
    times = {"digits": digits.judged(steps["digits"], metric), "words": words.judged(steps["words"], metric)}
    alike, slightly, later = (
        "'RMSprop, Adadelta and Adam behave alike'",
        "'Adam slightly above RMSprop'",
        "'SGD with annealing gets there later'",
    )
    checks = (
        _alike(f"{alike}; digits", on_digits),
        better(f"{alike}; words", on_words, "RMSprop", "Adadelta"),
        below(
            f"{alike}; words: the largest typical difference between them, as a part of Adam's median test loss",
            max(on_words.between(one, other).lead.estimate for one, other in combinations(ADAPTIVE, 2))
            / median(words.finals("test_loss")["Adam"]),
            0.06,
        ),
        not_better(f"{slightly}; digits", on_digits, "Adam", "RMSprop"),
        not_better(f"{slightly}; words, whose gradients are sparse", on_words, "Adam", "RMSprop"),
        *(_later(f"{later}; {name}", steps[name], times[name]) for name in steps),
    )
    drawn, (left, middle, right) = figure("Tuned alike: adaptive rules and annealed descent, ten seeds", columns=3)
    for axes, study, name in ((left, digits, "digits"), (middle, words, "documents with rare words")):
        draw_pairs(axes, study.finals("test_loss"), "test loss", log=True)
        axes.set_title(name)
    _draw_arrivals(right, steps)
    return Shown(checks, save(drawn, setting.picture("choosing-adaptive")))


def _tune(setting: Setting, optimizers: Mapping[str, str], schedule: str) -> tuple[Tuned, ...]:
    from fallline.gallery.words_problem import words

    return tune(
        setting,
        f"choosing-adaptive-{schedule}",
        ["digits", words("zipf")],
        optimizers,
        schedule,
        steps=STEPS,
        batch_sizes=[BATCH],
        evaluate_every=EVERY,
    )


def _steps(study: Tuned) -> dict[str, list[float]]:
    """The step of the first evaluation of each run at which it is at the target; infinite where it never is."""
    from fallline.training import first_reached

    target = WITHIN * median(study.finals("test_loss")["Adam"])
    found = {
        title: [first_reached(run.curve, "test_loss", at_least=False, value=target) for run in runs]
        for title, runs in study.runs.items()
    }
    return {title: [math.inf if step is None else float(step) for step in steps] for title, steps in found.items()}


def _alike(what: str, judged: "Verdict") -> Check:
    """That none of the three is shown to be better than both others."""
    ahead = [
        one for one in ADAPTIVE if all(judged.between(one, other).first == one for other in ADAPTIVE if other != one)
    ]
    best = [one for one in ahead if all(judged.between(one, other).differs for other in ADAPTIVE if other != one)]
    return holds(what, "none is shown to be better than both others", judged.words(), not best)


def _later(what: str, steps: Mapping[str, Sequence[float]], judged: "Verdict") -> Check:
    """That annealed descent arrives, and in about as many steps as Adam."""
    from fallline.statistics import time_to_target

    told = {title: time_to_target(found, [float(STEPS)] * len(found)) for title, found in steps.items()}
    medians = ", ".join(f"{title} {found.median:g} ({found.hits.count} of 10 arrive)" for title, found in told.items())
    ratio = told[ANNEALED].median / told["Adam"].median
    return holds(
        what,
        f"the median of {ANNEALED} within 0.6 and 1.7 times Adam's",
        f"medians: {medians}. {judged.between('Adam', ANNEALED).words()}",
        0.6 <= ratio <= 1.7,
    )


def _draw_arrivals(axes: "Axes", steps: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """The share of seeds that have reached the target, over steps; digits drawn, words dashed."""
    from fallline.report.colors import looks

    for name, dash in zip(steps, ("-", "--"), strict=True):
        for title, look in looks(steps[name]).items():
            arrived = sorted(step for step in steps[name][title] if math.isfinite(step))
            shares = [place / len(steps[name][title]) for place in range(len(arrived) + 1)]
            axes.step(
                [0.0, *arrived, float(STEPS)],
                [*shares, shares[-1]],
                where="post",
                color=look.color,
                linestyle=dash,
                label=f"{title}, {name}",
            )
    axes.set(xlabel="step", ylabel=f"seeds at {WITHIN:g} times Adam's median test loss")
    axes.legend(loc="best", fontsize=8)


ENTRIES = (
    Entry(
        "choosing-adaptive",
        "RMSprop, Adadelta, Adam and annealed descent",
        "Tuned with nine trials each, on digits no verdict tells RMSprop, Adadelta and Adam apart; on made-up "
        "documents with rare words RMSprop is shown to be ahead of Adadelta, by a few per cent of the loss. So they "
        "are alike in size, and not the same. That Adam is slightly above RMSprop is shown nowhere: on the sparse "
        "documents, where it is said of it, it is behind. Nor is it shown that gradient descent whose rate is "
        "annealed gets there later: it arrives at what Adam reaches in about as many steps. Which of them is ahead "
        "by a little changes with the rates that are tried, and every verdict here holds for this one search.",
        adaptive,
    ),
)

"""Learning-rate annealing: it calms gradient descent where it trembles, and stops it where it is still on its way."""

from dataclasses import replace
from statistics import mean
from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Entry, Setting, Shown, within
from fallline.gallery.paired import lowers, raises, runs
from fallline.gallery.pictures import figure, save
from fallline.gallery.seeds import draw_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fallline.study.record import Record

RATES = {"large": 0.3, "small": 0.003}
SCHEDULES = ("constant", "cosine", "step", "exponential")
SEEDS = 10
BATCH = 10
PARAMETERS = 3


def annealing(setting: Setting) -> Shown:
    """Linear regression with noise of deviation 1, batches of 10, one epoch, at a large and at a small rate."""
    problem = _noisy_line()
    results = fl.compare(
        problem,
        [fl.rules.SGD()],
        protocol="sweep",
        lrs=list(RATES.values()),
        schedules=SCHEDULES,
        batch_sizes=[BATCH],
        epochs=1,
        seeds=SEEDS,
        validation=0,
        threads=1,
        store=setting.store("annealing"),
        progress=setting.progress,
    )
    least = _least(problem)
    ended = {
        name: {schedule: runs(results.records, lr=rate, schedule=schedule) for schedule in SCHEDULES}
        for name, rate in RATES.items()
    }

    def excess(record: "Record") -> float:
        return record.final("train_loss") - least

    checks = (
        within(
            f"lr 0.3, constant: final loss less that of least squares, mean of {SEEDS} seeds, over that of a descent "
            "that trembles for ever",
            mean(excess(run) for run in ended["large"]["constant"]) / _trembling(RATES["large"]),
            0.4,
            2.0,
        ),
        *(
            lowers(
                f"lr 0.3: final loss, {schedule} less constant",
                ended["large"][schedule],
                ended["large"]["constant"],
                excess,
            )
            for schedule in SCHEDULES[1:]
        ),
        *(
            raises(
                f"lr 0.003: final loss, {schedule} less constant",
                ended["small"][schedule],
                ended["small"]["constant"],
                excess,
            )
            for schedule in SCHEDULES[1:]
        ),
    )
    drawn, (large, ends, small) = figure(
        "Annealing plain descent: linear regression with noise, batches of 10", columns=3
    )
    _draw_curves(large, ended["large"], least)
    large.set_title("lr 0.3, first seed: trembling")
    draw_pairs(
        ends,
        {name: list(map(excess, several)) for name, several in ended["large"].items()},
        "final loss less that of least squares",
        log=True,
    )
    ends.set_title("lr 0.3, ten seeds")
    _draw_curves(small, ended["small"], least)
    small.set_title("lr 0.003, first seed: on its way")
    return Shown(checks, save(drawn, setting.picture("annealing")))


def _noisy_line() -> "fl.Problem":
    """The built-in `linear` with noise of deviation 1 on top of its 0.01."""
    import torch

    from fallline.randomness import torch_stream

    line = fl.problems.load("linear")
    x, y = line.train
    noise = torch.randn(y.shape, generator=torch_stream(0, "label noise"))
    return replace(line, train=(x, y + noise), name="noisy-line", target=None)


def _least(problem: "fl.Problem") -> float:
    """Half the mean squared error of the exact least-squares solution."""
    import numpy as np

    x, y = (np.asarray(part, dtype=np.float64) for part in problem.train)
    design = np.hstack([x, np.ones((len(x), 1))])
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    return float(((design @ solution - y) ** 2).mean() / 2)


def _trembling(rate: float) -> float:
    """What a constant rate ends above the least, on average, where every curvature and the noise's variance are 1.

    A step adds rate^2 / batch to the variance v of each parameter and takes (2 rate - rate^2) v away: they balance at
    v = rate / batch / (2 - rate), and the loss is half the sum of them. Over ten seeds it is a sum of 30 squares, whose
    mean is within 0.4 and 2 times the expected one in 99.8 % of all cases.
    """
    return PARAMETERS * rate / BATCH / (2 - rate) / 2


def _draw_curves(axes: Any, schedules: "Mapping[str, Sequence[Record]]", least: float) -> None:
    from fallline.report.colors import looks

    for name, look in looks(schedules).items():
        run = schedules[name][0]
        above = [loss - least for loss in run.curve["train_loss"]]
        axes.plot(run.curve["step"], above, ".-", color=look.color, linewidth=1.2, label=name)
    axes.set(xlabel="step", ylabel="half squared error less that of least squares", yscale="log")
    axes.legend(loc="best")


ENTRIES = (
    Entry(
        "annealing",
        "Annealing the learning rate",
        "At a constant large rate plain descent does not come to rest: every batch has a slope of its own, and the "
        "loss trembles above the least. Cosine, step and exponential annealing each end lower. It is the trembling "
        "that they cure: at a rate so small that descent is still on its way, each of them ends higher.",
        annealing,
    ),
)

"""BatchNorm: what it computes, what it remembers, and that a deep network learns in fewer steps with it."""

import math
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Check, Entry, Setting, Shown, above, below, holds, printed
from fallline.gallery.paired import lowers, runs
from fallline.gallery.pictures import draw_series, figure, save
from fallline.gallery.seeds import draw_pairs, draw_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from fallline.study.record import Record

ROWS, FEATURES = 20, 100
SHAPES = {1: (ROWS, FEATURES), 2: (ROWS, FEATURES, 5, 4), 3: (ROWS, FEATURES, 3, 2, 4)}
"""The shape of what BatchNorm1d, 2d and 3d are given: all axes but the second are averaged over."""
ROUNDING = 1e-12
EPS = 1e-5
SEEDS = 10
STEPS = 360
TARGET = 0.5
RATE = 0.3
STILL, BEGUN = 54, 15
"""Steps after which the networks without BatchNorm still guess, and those with it have begun to learn."""


def batch_norm(setting: Setting) -> Shown:
    """BatchNorm1d(100) on randn(20, 100), and its relatives, in float64."""
    import torch

    from fallline.randomness import torch_stream

    generator = torch_stream(0, "batch norm")
    batches = {n: torch.randn(shape, generator=generator, dtype=torch.float64) for n, shape in SHAPES.items()}
    drawn, (spread, remembered) = figure("BatchNorm1d(100) on batches of randn(20, 100) and on shifted ones")
    _draw_spread(spread, batches[1])
    _draw_memory(remembered)
    return Shown(
        tuple(check for axes, x in batches.items() for check in _checks(axes, x)),
        save(drawn, setting.picture("batch-norm")),
    )


def batch_norm_speed(setting: Setting) -> Shown:
    """Four hidden layers with and without, by plain descent."""
    problem = replace(fl.problems.load("digits", hidden="64-64-64-64"), test=None, target=None)
    results = fl.compare(
        problem,
        [fl.rules.SGD(lr=RATE)],
        protocol="sweep",
        vary={"batch_norm": [False, True]},
        batch_sizes=[32],
        steps=STEPS,
        evaluate_every=15,
        seeds=SEEDS,
        validation=0,
        threads=1,
        store=setting.store("batch-norm-speed"),
        progress=setting.progress,
    )
    plain, normalised = (runs(results.records, batch_norm=on) for on in (False, True))
    steps = {name: list(map(_steps, several)) for name, several in (("without", plain), ("with", normalised))}
    checks = (
        lowers(
            f"steps to a training loss of {TARGET:g}, with BatchNorm less without, seed by seed",
            normalised,
            plain,
            _steps,
        ),
        below(
            f"the same with BatchNorm as a part of without, medians {median(steps['with']):g} and "
            f"{median(steps['without']):g}",
            median(steps["with"]) / median(steps["without"]),
            1 / 8,
        ),
        above(f"training loss without after {STILL} steps; ln 10 = 2.303 is guessing", _losses(plain, STILL), 2.25),
        below(f"training loss with BatchNorm after {BEGUN} steps", _losses(normalised, BEGUN), 2.0),
        holds(
            f"seeds that reach it within {STEPS} steps with BatchNorm",
            f"{SEEDS} of {SEEDS}",
            sum(map(math.isfinite, steps["with"])),
            all(map(math.isfinite, steps["with"])),
        ),
    )
    drawn, (curves, reached) = figure(f"Digits, 64-64-64-64-64-10, plain descent at lr {RATE:g}, ten seeds")
    draw_runs(curves, {"without BatchNorm": plain, "with BatchNorm": normalised}, "train_loss", "training loss")
    curves.axhline(TARGET, color="grey", linestyle="--", linewidth=1)
    curves.set_yscale("log")
    draw_pairs(reached, steps, f"steps to a training loss of {TARGET:g}")
    return Shown(checks, save(drawn, setting.picture("batch-norm-speed")))


def _steps(record: "Record") -> float:
    """The first step evaluated at which the target is met; infinite where it never is."""
    from fallline.training import first_reached

    step = first_reached(record.curve, "train_loss", False, TARGET)
    return math.inf if step is None else step


def _losses(records: "Sequence[Record]", step: int) -> list[float]:
    return [run.curve["train_loss"][run.curve["step"].index(step)] for run in records]


def _layer(axes: int, affine: bool = True) -> Any:
    from torch import nn

    kind = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[axes]
    return kind(FEATURES, affine=affine).double()


def _checks(axes: int, x: "Tensor") -> tuple[Check, ...]:
    """Of the layer with and without parameters of its own."""
    layers = [_layer(axes, affine) for affine in (True, False)]
    over = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, FEATURES] + [1] * (x.dim() - 2)
    mean, variance, biased = x.mean(over), x.var(over), x.var(over, correction=0)
    trained = [layer.train()(x) for layer in layers]
    evaluated = [layer.eval()(x) for layer in layers]
    means = [layer.running_mean for layer in layers]
    variances = [layer.running_var for layer in layers]
    kept = (x - (0.1 * mean).view(shape)) / (0.9 + 0.1 * variance + EPS).sqrt().view(shape)
    name = f"BatchNorm{axes}d({FEATURES}), affine and not:"
    spreads = [y.var(over, correction=0) for y in trained]
    return (
        below(
            f"{name} largest mean of a feature of the training output",
            [_largest(y.mean(over)) for y in trained],
            ROUNDING,
        ),
        below(f"{name} largest distance of its biased variance from 1", [_largest(v - 1) for v in spreads], 1e-4),
        below(
            f"{name} the same from v / (v + eps), v that of the batch",
            [_largest(v - biased / (biased + EPS)) for v in spreads],
            ROUNDING,
        ),
        below(f"{name} running_mean less 0.1 x batch mean", [_largest(m - 0.1 * mean) for m in means], ROUNDING),
        below(
            f"{name} running_var less (0.9 + 0.1 x unbiased variance)",
            [_largest(v - (0.9 + 0.1 * variance)) for v in variances],
            ROUNDING,
        ),
        above(
            f"{name} running_var less (0.9 + 0.1 x biased variance)",
            [_largest(v - (0.9 + 0.1 * biased)) for v in variances],
            1e-5,
        ),
        below(
            f"{name} evaluation less (x - running_mean) / sqrt(running_var + eps)",
            [_largest(z - kept) for z in evaluated],
            ROUNDING,
        ),
        below(
            f"{name} evaluation's mean squared distance from the input over the training output's",
            [
                float((z - x).square().detach().mean() / (y - x).square().detach().mean())
                for y, z in zip(trained, evaluated, strict=True)
            ],
            0.1,
        ),
        printed(f"{name} parameters", [float(len(list(layer.parameters()))) for layer in layers], "2 0"),
    )


def _largest(x: "Tensor") -> float:
    return float(x.detach().abs().max())


def _draw_spread(axes: Any, x: "Tensor") -> None:
    """Mean and standard deviation of every feature before and after, in training and in evaluation."""
    from fallline.report.colors import looks

    layer = _layer(1)
    shown = {"batch": x, "after, training": layer.train()(x).detach(), "after, evaluation": layer.eval()(x).detach()}
    for name, look in looks(shown).items():
        values = shown[name]
        axes.plot(
            values.mean(0),
            values.std(0, correction=0),
            look.marker.matplotlib,
            color=look.color,
            markersize=4,
            alpha=0.7,
            label=name,
        )
    axes.set(xlabel="mean of a feature", ylabel="standard deviation, biased", title="one batch, each of 100 features")
    axes.legend(loc="upper right")


def _draw_memory(axes: Any) -> None:
    """What is remembered of batches with mean 3 and variance 4."""
    import torch

    from fallline.randomness import torch_stream

    layer = _layer(1).train()
    generator = torch_stream(1, "batch norm")
    means, variances = [0.0], [1.0]
    for _ in range(50):
        layer(3 + 2 * torch.randn(ROWS, FEATURES, generator=generator, dtype=torch.float64))
        means.append(float(layer.running_mean.mean()))
        variances.append(float(layer.running_var.mean()))
    draw_series(
        axes,
        {"running_mean": means, "running_var": variances},
        "mean over 100 features",
        {"true mean 3": 3.0, "true variance 4": 4.0},
        xlabel="batches seen",
        log=False,
    )
    axes.set_title("batches 3 + 2 randn(20, 100)")


ENTRIES = (
    Entry(
        "batch-norm",
        "BatchNorm: what it computes and what it remembers",
        "In training every feature of a batch gets mean 0 and biased variance 1, up to eps. What is remembered for "
        "evaluation moves by a tenth at each batch, towards the mean and the unbiased variance: two different "
        "variances in one layer. After one batch evaluation is still near the identity, not the training output.",
        batch_norm,
    ),
    Entry(
        "batch-norm-speed",
        "BatchNorm: fewer steps to the same loss",
        "Four hidden layers with torch's initial weights stand still for fifty steps of plain descent "
        "before they begin to learn; with BatchNorm before every ReLU they begin at once and reach the target in "
        "less than an eighth of the steps, at the same rate.",
        batch_norm_speed,
    ),
)

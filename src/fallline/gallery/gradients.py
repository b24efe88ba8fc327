"""Vanishing and exploding gradients: what ten layers do to them, and what the diagnostics say."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Entry, Setting, Shown, above, below, close_to, holds, printed, within
from fallline.gallery.pictures import draw_series, figure, save
from fallline.gallery.watched import Columns, names, silent, watched

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (64,) * 10 + (10,)
LAYERS = [str(2 * layer) for layer in range(10)]
ROWS = 256
RATE = 0.03
EPOCHS = 10
SEEDS, TRAINED_SEEDS = 5, 2
FACTORS = (1.0, 1.5, 2.0, 3.0)


def vanishing(setting: Setting) -> Shown:
    """Ten sigmoid layers as torch makes them, beside ten ReLU layers initialised as He et al. did."""
    import torch

    x = torch.linspace(-8, 8, 161, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.sigmoid(x).sum(), x)
    problems = {"sigmoid": _ten_layers("sigmoid", _sigmoid_network), "ReLU, He": _ten_layers("he", _he_network)}
    seen = {name: [_first_step(problem, seed) for seed in range(SEEDS)] for name, problem in problems.items()}
    falls, steady = ([_ratios(columns) for columns in runs] for runs in seen.values())
    trained = {name: _train(setting, problem) for name, problem in problems.items()}
    drawn, (curve, norms) = figure("The sigmoid, and what ten layers of it do to the gradient")
    draw_series(
        curve,
        {"sigmoid": torch.sigmoid(x).detach(), "its derivative": slope},
        "value",
        {"1/4": 0.25},
        x=x.tolist(),
        xlabel="x",
        log=False,
    )
    _draw_layers(norms, {name: runs[0] for name, runs in seen.items()}, "gradient_norm", "gradient norm")
    return Shown(
        (
            printed(
                "derivative of the sigmoid at 0, and the largest from -8 to 8",
                [float(slope[len(slope) // 2]), float(slope.max())],
                "0.250000 0.250000",
            ),
            within(
                f"sigmoid: gradient norm of a layer over that of the one before, least and largest of {SEEDS} seeds",
                _extremes(falls),
                2.0,
                20.0,
            ),
            close_to(
                "sigmoid: mean fall per layer within the network; a slope of 1/4 and torch's weights, of variance "
                "1 / (3 * 64), give 4 sqrt(3)",
                statistics.geometric_mean(ratio for run in falls for ratio in run[2:-1]),
                4 * math.sqrt(3),
                0.7,
            ),
            within(
                f"ReLU, He: gradient norm of a layer over that of the one before, least and largest of {SEEDS} seeds",
                _extremes(steady),
                0.4,
                2.5,
            ),
            within("sigmoid: gradient norm of the last layer over the first's", _end_to_end(seen["sigmoid"]), 1e7, 1e8),
            within("ReLU, He: gradient norm of the last layer over the first's", _end_to_end(seen["ReLU, He"]), 0.2, 5),
            names(seen["sigmoid"][0], "Vanishing gradients", "layer '18'", "layer '0'", "times per layer"),
            silent("ReLU, He", seen["ReLU, He"]),
            within(
                f"sigmoid: training loss after {EPOCHS} epochs; ln 10 = 2.303 is guessing",
                [record.final("train_loss") for record in trained["sigmoid"]],
                2.29,
                2.32,
            ),
            below(
                f"ReLU, He: training loss after {EPOCHS} epochs",
                [record.final("train_loss") for record in trained["ReLU, He"]],
                0.5,
            ),
        ),
        save(drawn, setting.picture("vanishing-gradients")),
    )


def exploding(setting: Setting) -> Shown:
    """The same ReLU layers with weights up to three times too large."""
    problems = {factor: _ten_layers(f"he-times-{factor:g}", partial(_he_network, factor)) for factor in FACTORS}
    seen = {factor: [_first_step(problem, seed) for seed in range(SEEDS)] for factor, problem in problems.items()}
    right, large = ([norm for columns in seen[factor] for norm in _norms(columns)] for factor in (1.0, 3.0))
    outcomes = [record.outcome for record in _train(setting, problems[3.0])]
    drawn, (norms, outputs) = figure("Ten ReLU layers with weights too large")
    shown = {f"He's weights times {factor:g}": runs[0] for factor, runs in seen.items()}
    _draw_layers(norms, shown, "gradient_norm", "gradient norm")
    norms.margins(y=0.4)
    _draw_layers(outputs, shown, "output_rms", "root mean square of the outputs")
    return Shown(
        (
            above(
                "gradient norm of a layer, weights times 3 over weights of He, least of all layers and "
                f"{SEEDS} seeds: the nine other layers alone make 3^9 = 19683",
                min(b / a for a, b in zip(right, large, strict=True)),
                3.0**9,
            ),
            close_to(
                "outputs of the last layer, weights times 3 over weights of He: 3^10 = 59049, in powers of 3",
                math.log(seen[3.0][0]["output_rms/18"][0] / seen[1.0][0]["output_rms/18"][0], 3),
                10,
                0.001,
            ),
            names(seen[3.0][0], "Exploding gradients", "layer '0'", "layer '18'", "times per layer"),
            silent("ReLU, He", seen[1.0]),
            holds(
                f"how training ends with weights times 3, lr {RATE:g}",
                "diverged in every seed",
                "; ".join(str(outcome.cause or outcome.ending) for outcome in outcomes),
                all(outcome.diverged for outcome in outcomes),
            ),
            below(
                "the step at which it does",
                [float(outcome.step) for outcome in outcomes],
                10.0,
            ),
        ),
        save(drawn, setting.picture("exploding-gradients")),
    )


def _ten_layers(name: str, network: "Callable[[], nn.Module]") -> "fl.Problem":
    return replace(fl.problems.load("digits"), model=network, factors={}, name=name)


def _sigmoid_network() -> "nn.Module":
    from torch.nn import Sigmoid

    return fl.problems.mlp(WIDTHS, Sigmoid)


def _he_network(factor: float = 1.0) -> "nn.Module":
    """He et al., 2015, arXiv:1502.01852: variance 2 / inputs, no biases; here times `factor`^2."""
    from torch import nn

    network = fl.problems.mlp(WIDTHS)
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(parameter, std=factor * math.sqrt(2 / parameter.shape[1]))
        else:
            nn.init.zeros_(parameter)
    return network


def _first_step(problem: "fl.Problem", seed: int) -> Columns:
    from fallline.randomness import forked, seed_global

    with forked():
        seed_global(0, "initial weights", seed)
        model = problem.make_model()
    return watched(model, problem, ROWS, RATE)


def _train(setting: Setting, problem: "fl.Problem") -> "Sequence[Any]":
    return fl.compare(
        problem,
        [fl.rules.SGD(lr=RATE)],
        protocol="sweep",
        batch_sizes=[64],
        epochs=EPOCHS,
        seeds=TRAINED_SEEDS,
        validation=0,
        threads=1,
        store=setting.store(f"gradients-{problem.name}"),
        progress=setting.progress,
    ).records


def _norms(columns: Columns, quantity: str = "gradient_norm") -> list[float]:
    return [columns[f"{quantity}/{layer}"][0] for layer in LAYERS]


def _ratios(columns: Columns) -> list[float]:
    norms = _norms(columns)
    return [after / before for before, after in pairwise(norms)]


def _extremes(ratios: Sequence[Sequence[float]]) -> list[float]:
    every = [ratio for run in ratios for ratio in run]
    return [min(every), max(every)]


def _end_to_end(runs: Sequence[Columns]) -> list[float]:
    return [norms[-1] / norms[0] for norms in map(_norms, runs)]


def _draw_layers(axes: Any, networks: Mapping[str, Columns], quantity: str, ylabel: str) -> None:
    draw_series(
        axes,
        {name: _norms(columns, quantity) for name, columns in networks.items()},
        ylabel,
        x=range(1, len(LAYERS) + 1),
        xlabel="layer, from the input",
    )


ENTRIES = (
    Entry(
        "vanishing-gradients",
        "Vanishing gradients",
        "The sigmoid's slope is at most 1/4, so with torch's initial weights every sigmoid layer leaves about a "
        "seventh of the gradient on its way back: of ten layers the first gets less than a ten-millionth and "
        "the network learns nothing. With ReLU and He's initial weights each layer gets about as much as the next, "
        "and it learns.",
        vanishing,
    ),
    Entry(
        "exploding-gradients",
        "Exploding gradients",
        "Weights three times too large make outputs 3^10 times too large after ten ReLU layers, and every layer's "
        "gradient more than 3^9 times: the first steps throw the weights out of the finite numbers, at a rate at "
        "which the same network trains well from He's weights.",
        exploding,
    ),
)

"""Gradient noise: it sets badly initialised deep networks going, and can hold others up."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import fallline as fl
from fallline.gallery.entry import Entry, Setting, Shown, above, within
from fallline.gallery.paired import difference, final, lowers, raises, runs
from fallline.gallery.pictures import figure, save
from fallline.gallery.seeds import draw_pairs, draw_runs
from fallline.gallery.study import study

if TYPE_CHECKING:
    from torch import nn

ROWS = 640
WIDTHS = (64, 50, 50, 50, 50, 50, 10)
EPOCHS = 12
SEEDS = 10
ETA = 0.3
SMALL = 0.01
GUESSING = (2.29, 2.32)


def gradient_noise(setting: Setting) -> Shown:
    """Five hidden ReLU layers from all zeros, from He's weights, and from tiny ones by Adam, on a cosine schedule."""
    sgd, adam = fl.rules.SGD(lr=0.1), fl.rules.Adam(lr=1e-3)
    dead = _train(setting, "zeros", partial(_network, 0.0), sgd, (0.0, ETA))
    sound = _train(setting, "he", partial(_network, None), sgd, (0.0, ETA))
    tiny = _train(setting, "tiny", partial(_network, SMALL), adam, (0.0, ETA))
    loss = final("train_loss")
    studies = {"all weights 0, SGD": dead, "He's weights, SGD": sound, f"deviation {SMALL:g}, Adam": tiny}
    noisy, plain = (
        {name: runs(results.records, gradient_noise=eta) for name, results in studies.items()} for eta in (ETA, 0.0)
    )
    (zeros, he, small) = studies
    checks = (
        within(
            f"all weights 0, SGD: training loss after {EPOCHS} epochs; ln 10 = 2.303 is guessing",
            [loss(run) for run in plain[zeros]],
            *GUESSING,
        ),
        lowers(
            f"all weights 0, SGD: training loss with noise of variance {ETA:g}, less without",
            noisy[zeros],
            plain[zeros],
            loss,
        ),
        lowers("He's weights, SGD: training loss with noise, less without", noisy[he], plain[he], loss),
        above(
            "median fall of the training loss by noise, all weights 0 over He's weights",
            difference(noisy[zeros], plain[zeros], loss).median / difference(noisy[he], plain[he], loss).median,
            5.0,
        ),
        raises(
            f"weights of deviation {SMALL:g}, Adam: training loss with noise, less without",
            noisy[small],
            plain[small],
            loss,
        ),
    )
    drawn, (curves, *ends) = figure(
        "64-50-50-50-50-50-10 on digits, gradient noise of variance 0.3 / t^0.55", columns=4
    )
    draw_runs(curves, {"without noise": plain[zeros], "with noise": noisy[zeros]}, "train_loss", "training loss")
    curves.set_title(zeros)
    for axes, name in zip(ends, studies, strict=True):
        draw_pairs(
            axes,
            {"without": [loss(r) for r in plain[name]], "with": [loss(r) for r in noisy[name]]},
            "training loss at the end",
            log=True,
        )
        axes.set_title(name)
        axes.set_ylim(0.05, 4)
    return Shown(checks, save(drawn, setting.picture("gradient-noise")))


def _network(deviation: float | None) -> "nn.Module":
    """Weights of a deviation, or of He's; biases 0."""
    from torch import nn

    network = fl.problems.mlp(WIDTHS)
    for name, parameter in network.named_parameters():
        if name.endswith("weight"):
            std = math.sqrt(2 / parameter.shape[1]) if deviation is None else deviation
            nn.init.normal_(parameter, std=std)
        else:
            nn.init.zeros_(parameter)
    return network


def _train(
    setting: Setting,
    name: str,
    network: "Callable[[], nn.Module]",
    rule: "fl.Rule",
    etas: Sequence[float],
) -> "fl.Results":
    digits = fl.problems.load("digits")
    images, labels = digits.train
    problem = replace(
        digits,
        model=network,
        train=(images[:ROWS], labels[:ROWS]),
        test=None,
        factors={},
        name=f"deep-{name}",
        target=None,
    )
    return study(
        setting,
        f"gradient-noise-{name}",
        problem,
        [rule],
        vary={"gradient_noise": etas},
        schedules=["cosine"],
        batch_sizes=[64],
        epochs=EPOCHS,
        seeds=SEEDS,
    )


ENTRIES = (
    Entry(
        "gradient-noise",
        "Gradient noise and bad initial weights",
        "With all weights at zero no gradient gets past the last bias, and plain descent guesses for ever. Gaussian "
        "noise on the gradients, fading with the steps, breaks the symmetry, and the same network learns (Neelakantan "
        "et al., 2015, arXiv:1511.06807). From He's weights it lowers the training loss too, but by less than "
        "a fifth of that. And it is no cure-all: Adam ends higher with it from tiny weights than without.",
        gradient_noise,
    ),
)

"""How long Adam's steps are, beside the learning rate."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, median

import fallline as fl
from fallline.gallery.entry import Entry, Setting, Shown, below, close_to, holds, within
from fallline.gallery.pictures import draw_series, figure, save
from fallline.gallery.seeds import draw_pairs

SEEDS = 10
STEPS = 200
BATCH = 32
EARLY = 20
LATE = 100
RATE = 1e-3
BOUND = (1 - 0.9) / math.sqrt(1 - 0.999)
"""In learning rates: the step of a weight whose gradients were 0 before (Kingma and Ba, 2015, section 2.1)."""


def adam_steps(setting: Setting) -> Shown:
    """Adam, Adam without the correction of its bias, and RMSprop on digits, at the same rate."""
    from fallline.gallery.uncorrected_adam import UncorrectedAdam
    from fallline.statistics import Terms, verdict

    rules = {
        "Adam": fl.rules.Adam(lr=RATE),
        "uncorrected": UncorrectedAdam(lr=RATE),
        "RMSprop": fl.rules.RMSprop(lr=RATE),
    }
    lengths = {title: [_lengths(rule, seed) for seed in range(SEEDS)] for title, rule in rules.items()}
    first = {title: [run["typical"][0] for run in runs] for title, runs in lengths.items()}
    early = {title: [_away(run["typical"][:EARLY]) for run in runs] for title, runs in lengths.items()}
    late = {title: [_away(run["typical"][-LATE:]) for run in runs] for title, runs in lengths.items()}
    begins, goes_on = (
        verdict(found, Terms(f"distance of a step from lr, |log|, mean of the {which} steps"))
        for found, which in ((early, f"first {EARLY}"), (late, f"last {LATE}"))
    )
    checks = (
        within("Adam: first step of a weight, root mean square, in learning rates", first["Adam"], 0.999, 1.001),
        close_to(
            "without the correction, (1 - beta1) / sqrt(1 - beta2): median", median(first["uncorrected"]), BOUND, 0.01
        ),
        close_to("RMSprop, 1 / sqrt(1 - alpha): median", median(first["RMSprop"]), 10, 0.01),
        holds(
            f"'Adam's bias-corrected step stays near lr': the first {EARLY} steps",
            "Adam nearest in a verdict over all three",
            begins.words(),
            begins.best == "Adam",
        ),
        holds(
            f"the same, the last {LATE} steps of {STEPS}",
            "Adam is not nearest: RMSprop is, in a verdict over all three",
            goes_on.words(),
            goes_on.best == "RMSprop",
        ),
        within(
            f"Adam: the last {LATE} steps, root mean square, median",
            [median(run["typical"][-LATE:]) for run in lengths["Adam"]],
            0.2,
            0.8,
        ),
        below(
            "Adam: longest step of any weight; (1 - beta1) / sqrt(1 - beta2) = 3.162 is the bound",
            [max(run["longest"]) for run in lengths["Adam"]],
            BOUND,
        ),
    )
    title = f"Steps beside the learning rate: digits, batches of {BATCH}, lr {RATE:g}"
    drawn, (curves, *panels) = figure(title, columns=3)
    draw_series(
        curves,
        {title: runs[0]["typical"] for title, runs in lengths.items()},
        "root mean square of a weight's step / lr",
        {"lr": 1.0},
        x=range(1, STEPS + 1),
    )
    curves.set_xscale("log")
    curves.set_title("first seed")
    for axes, found, which in zip(panels, (early, late), (f"first {EARLY}", f"last {LATE}"), strict=True):
        draw_pairs(axes, found, f"|log(step / lr)|, mean of the {which} steps")
        axes.set_title(f"{which} steps, ten seeds")
        axes.set_ylim(0, 1.5)
    return Shown(checks, save(drawn, setting.picture("choosing-adam-step")))


def _away(lengths: Sequence[float]) -> float:
    return mean(abs(math.log(length)) for length in lengths)


def _lengths(rule: "fl.Rule", seed: int) -> Mapping[str, list[float]]:
    """Root mean square and largest of the moves of each step in learning rates, over weights that have a gradient."""
    import torch
    from torch.nn.utils import parameters_to_vector

    from fallline.randomness import forked, seed_global, torch_stream

    problem = fl.problems.load("digits")
    images, labels = problem.train
    with forked():
        seed_global(seed, "steps beside the rate")
        model = problem.make_model()
    parameters = list(model.parameters())
    optimizer = fl.optim.Optimizer(parameters, rule)
    order = torch_stream(seed, "steps beside the rate")
    found: dict[str, list[float]] = {"typical": [], "longest": []}
    for step in range(STEPS):
        rows = torch.randint(len(images), (BATCH,), generator=order)
        optimizer.zero_grad()
        problem.loss(model(images[rows]), labels[rows]).backward()
        if step == 0:
            moving = torch.cat([torch.as_tensor(p.grad).flatten().abs() for p in parameters]) > 1e-4
        before = parameters_to_vector(parameters).detach()
        optimizer.step()
        moves = (parameters_to_vector(parameters).detach() - before)[moving].abs() / RATE
        found["typical"].append(float(moves.square().mean().sqrt()))
        found["longest"].append(float(moves.max()))
    return found


ENTRIES = (
    Entry(
        "choosing-adam-step",
        "Adam's step and the learning rate",
        "The tutorials say that the correction of its bias keeps Adam's step near the learning rate. It does at the "
        "start: the first step of every weight has exactly that length, where RMSprop's is ten times as long and "
        "that of Adam without the correction three times. Afterwards the rate is a bound more than a size: the "
        "gradients of batches cancel in Adam's mean, and its steps shrink to half of lr and less, while RMSprop's, "
        "which has no mean, stay near it.",
        adam_steps,
    ),
)

"""MNIST one image at a time: what the noise of single gradients costs."""

import statistics
from dataclasses import replace
from typing import Any

import fallline as fl
from fallline.gallery.concise import against_torch
from fallline.gallery.entry import Entry, Setting, Shown, above
from fallline.gallery.mnist import BATCH, symmetric, train
from fallline.gallery.pictures import figure, save

SAMPLES = 30_000
SETTLED = SAMPLES // 2
DRAWN_EVERY = 30


def batch_1(setting: Setting) -> Shown:
    """Half an epoch with batches of 1 and of 64, every step's loss kept."""
    from fallline.gallery.kept_losses import KeptLosses

    problem = symmetric(setting)
    losses, seconds = {}, {}
    for batch_size in (1, BATCH):
        steps = -(-SAMPLES // batch_size)
        kept = KeptLosses()
        results = train(
            setting,
            f"mnist-batch-1-by-{batch_size}",
            replace(problem, loss=kept),
            [fl.rules.SGD(lr=0.01)],
            batch_size,
            steps=steps,
        )
        losses[batch_size] = kept.last(steps)
        seconds[batch_size] = results.records[0].seconds
    noise = {batch_size: statistics.stdev(values[SETTLED // batch_size :]) for batch_size, values in losses.items()}
    short = train(
        setting,
        "mnist-batch-1-torch",
        problem,
        [fl.rules.SGD(lr=0.01), "torch.optim.SGD:lr=0.01"],
        batch_size=1,
        steps=100,
        evaluate_every=10,
    )
    checks = (
        above(
            "standard deviation of the loss, second half of 30,000 samples: batch 1's over batch 64's",
            noise[1] / noise[BATCH],
            5,
        ),
        above("seconds of half an epoch: batch 1's over batch 64's", seconds[1] / seconds[BATCH], 10),
        *against_torch(short, steps_per_epoch=100),
    )
    return Shown(checks, _picture(setting, losses))


def _picture(setting: Setting, losses: dict[int, list[float]]) -> Any:
    from fallline.report.colors import PALETTE

    drawn, (axes,) = figure("MNIST by gradient descent: one image at a time, and 64", columns=1)
    single = losses[1][DRAWN_EVERY - 1 :: DRAWN_EVERY]
    axes.plot(
        [DRAWN_EVERY * (i + 1) for i in range(len(single))],
        single,
        color=PALETTE[5],
        linestyle="none",
        marker=".",
        markersize=3,
        label=f"batch 1, every {DRAWN_EVERY}th step",
    )
    axes.plot(
        [BATCH * (i + 1) for i in range(len(losses[BATCH]))],
        losses[BATCH],
        color=PALETTE[1],
        linewidth=1,
        label="batch 64, every step",
    )
    axes.set_yscale("log")
    axes.set(xlabel="samples seen", ylabel="loss of the step's batch", ylim=(1e-4, 40), xlim=(0, SAMPLES))
    axes.legend(loc="lower left", frameon=True)
    return save(drawn, setting.picture("mnist-batch-1"))


ENTRIES = (
    Entry(
        "mnist-batch-1",
        "MNIST by gradient descent, one image at a time",
        "Half an epoch is enough to see both prices of batches of 1. The loss of a step is that of one image: over "
        "the same samples it scatters about nine times as widely as the mean of 64. And every image pays for a whole "
        "update, so that an epoch takes about forty times as long. In return the mean loss falls further with the same "
        "samples.",
        batch_1,
    ),
)

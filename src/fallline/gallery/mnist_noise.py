"""MNIST one image at a time: what the noise of single gradients costs."""

import statistics
from typing import Any

import fallline as fl
from fallline.gallery.concise import FIRST_STEPS, beside_torch
from fallline.gallery.entry import Entry, Setting, Shown, above
from fallline.gallery.mnist import BATCH, symmetric, train
from fallline.gallery.pictures import figure, save

SAMPLES = 30_000
SETTLED = SAMPLES // 2
DRAWN_EVERY = 30


def batch_1(setting: Setting) -> Shown:
    """Half an epoch with batches of 1 and of 64, every step's loss kept."""
    problem = symmetric(setting)
    runs = {
        batch_size: train(
            setting,
            f"mnist-batch-1-by-{batch_size}",
            problem,
            [fl.rules.SGD(lr=0.01)],
            batch_size,
            steps=-(-SAMPLES // batch_size),
        ).records[0]
        for batch_size in (1, BATCH)
    }
    losses = {batch_size: list(run.curve.losses.values()) for batch_size, run in runs.items()}
    noise = {batch_size: statistics.stdev(values[SETTLED // batch_size :]) for batch_size, values in losses.items()}
    (theirs,) = train(
        setting, "mnist-batch-1-torch", problem, ["torch.optim.SGD:lr=0.01"], batch_size=1, steps=FIRST_STEPS
    ).records
    checks = (
        above(
            "standard deviation of the loss, second half of 30,000 samples: batch 1's over batch 64's",
            noise[1] / noise[BATCH],
            5,
        ),
        above("seconds of half an epoch: batch 1's over batch 64's", runs[1].seconds / runs[BATCH].seconds, 10),
        *beside_torch([(runs[1], theirs)], steps_per_epoch=FIRST_STEPS),
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

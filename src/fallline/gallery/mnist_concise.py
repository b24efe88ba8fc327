"""MNIST in a few lines: 784-500-10, Adam, five epochs."""

from dataclasses import replace
from typing import Any

import fallline as fl
from fallline.gallery.concise import beside_torch, in_means, keeps
from fallline.gallery.entry import Entry, Setting, Shown, within
from fallline.gallery.pictures import GREY, draw_series, figure, save
from fallline.gallery.study import study

STEPS_PER_EPOCH = 600
EPOCHS = 5
DRAWN_EVERY = 100
BAND = (0.976, 0.984)


def hidden_500(setting: Setting) -> Shown:
    """Five epochs of Adam, and one of torch's."""
    problem = fl.problems.load("mnist", hidden=500, data_dir=setting.data_dir)
    record = _train(setting, "mnist-500", problem, fl.rules.Adam(lr=0.001), EPOCHS)
    unseen = replace(problem, test=None)
    theirs = _train(setting, "mnist-500-torch", unseen, "torch.optim.Adam:lr=0.001", epochs=1)
    means = in_means(record, DRAWN_EVERY)
    drawn, (losses, accuracy) = figure("MNIST by Adam(lr=0.001), 784-500-10, batches of 100")
    draw_series(
        losses,
        {"mean of 100 steps": list(means.values())},
        "training loss",
        x=list(means),
    )
    draw_series(
        accuracy,
        {"10,000 test images": record.curve["test_accuracy"][1:]},
        "accuracy",
        x=record.curve["step"][1:],
        log=False,
    )
    accuracy.axhspan(*BAND, color=GREY, alpha=0.3, label="expected at the end")
    accuracy.legend(loc="lower right")
    return Shown(
        (
            within("test accuracy after 5 epochs", record.final("test_accuracy"), *BAND),
            keeps(record, DRAWN_EVERY, EPOCHS * STEPS_PER_EPOCH),
            *beside_torch([(record, theirs)], STEPS_PER_EPOCH),
        ),
        save(drawn, setting.picture("mnist-500")),
    )


def _train(setting: Setting, name: str, problem: "fl.Problem", optimizer: Any, epochs: int) -> Any:
    results = study(
        setting,
        name,
        problem,
        [optimizer],
        batch_sizes=[100],
        epochs=epochs,
        losses_every=1,
        seeds=1,
    )
    return results.records[0]


ENTRIES = (
    Entry(
        "mnist-500",
        "MNIST by Adam with 500 hidden units",
        "A network with one hidden layer and Adam at its default rate reads 98 of 100 unseen digits after five "
        "epochs; the published run printed 98 %. The test images are only looked at, never trained on.",
        hidden_500,
    ),
)

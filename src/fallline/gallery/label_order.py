"""What the order of the samples does: a set sorted by label, shuffled or not."""

from dataclasses import replace
from typing import TYPE_CHECKING

import fallline as fl
from fallline.gallery.entry import Check, Entry, Setting, Shown, above, below, within
from fallline.gallery.pictures import draw_series, figure, save

if TYPE_CHECKING:
    from torch import Tensor

SEEDS = 3


def label_order(setting: Setting) -> Shown:
    """The same set sorted by label, in a loader that does not shuffle and in one that does."""
    results = fl.compare(
        [_loader("sorted", shuffle=False), _loader("shuffled", shuffle=True)],
        [fl.rules.SGD(lr=0.3), fl.rules.Adam(lr=0.003)],
        protocol="sweep",
        epochs=10,
        evaluate_every=6,
        seeds=SEEDS,
        threads=1,
        store=setting.store("label-order"),
        progress=setting.progress,
    )
    drawn, panels = figure("Digits sorted by label: shuffled every epoch, or not")
    checks: list[Check] = []
    factors: dict[str, list[float]] = {}
    for axes, optimizer in zip(panels, ("sgd", "adam"), strict=True):
        runs = {
            name: [r for r in results.records if (r["problem"], r["optimizer"]) == (name, optimizer)]
            for name in ("sorted", "shuffled")
        }
        draw_series(
            axes,
            {f"{name}, seed {r['seed']}": r.curve["train_loss"] for name in runs for r in runs[name][:2]},
            "training loss",
            x=runs["sorted"][0].curve["step"],
        )
        axes.set_title(optimizer)
        factors[optimizer] = [a.final("test_loss") / b.final("test_loss") for a, b in zip(*runs.values(), strict=True)]
        checks.append(above(f"{optimizer}: test loss, sorted over shuffled, {SEEDS} seeds", factors[optimizer], 2.0))
        if optimizer == "sgd":
            checks += [
                below("sgd: test accuracy, sorted", [r.final("test_accuracy") for r in runs["sorted"]], 0.6),
                above("sgd: test accuracy, shuffled", [r.final("test_accuracy") for r in runs["shuffled"]], 0.9),
                within(
                    "sgd: fraction of test images called 9 after an epoch that ends with the nines",
                    [r.final("test_called_nine") for r in runs["sorted"]],
                    0.4,
                    0.6,
                ),
            ]
    checks.append(
        above(
            "the factor of sgd over that of adam, seed by seed",
            [a / b for a, b in zip(factors["sgd"], factors["adam"], strict=True)],
            1.0,
        )
    )
    return Shown(tuple(checks), save(drawn, setting.picture("label-order")))


def _loader(name: str, shuffle: bool) -> "fl.Problem":
    from torch.utils.data import DataLoader, TensorDataset

    problem = fl.problems.load("digits")
    images, labels = problem.train
    by_label = labels.argsort(stable=True)
    loader = DataLoader(TensorDataset(images[by_label], labels[by_label]), batch_size=64, shuffle=shuffle)
    return replace(problem, train=loader, name=name, metrics={**problem.metrics, "called_nine": _called_nine})


def _called_nine(output: "Tensor", target: "Tensor") -> "Tensor":
    return (output.argmax(dim=1) == 9).double().mean()


ENTRIES = (
    Entry(
        "label-order",
        "Label-sorted against shuffled order",
        "Sorted by label and not shuffled, a batch shows one digit or two and the network forgets the others: after "
        "an epoch plain descent calls about half of all images a nine. Adam suffers less from it, and is not spared. "
        "A DataLoader with shuffle=False keeps the order that it is given; tensors are shuffled by fallline itself.",
        label_order,
    ),
)

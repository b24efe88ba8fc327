"""`quadratic-deep` at the rates that are published as best for it, with the order replayed and with new ones."""

from statistics import median
from typing import TYPE_CHECKING

import fallline as fl
from fallline.gallery.entry import Check, Entry, Setting, Shown, close_to, holds, printed
from fallline.gallery.pictures import figure, save
from fallline.gallery.seeds import draw_pairs, draw_runs
from fallline.gallery.tuned import Tuned, better, tune

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED = {
    "SGD": ("sgd:lr={lr}", -1.8, 87.51817),
    "Momentum 0.99": ("momentum:lr={lr},momentum=0.99", -2.6, 87.02500),
    "Adam": ("adam:lr={lr}", -1.4, 87.06753),
}
"""The decimal logarithm of the rate that DeepOBS found best of 36, and the test loss of one seed after 100 epochs."""
ORDERS = {"fixed": "one order, replayed", "reshuffle": "a new order every epoch"}


def quadratic_deep(setting: Setting) -> Shown:
    """The three published winners, ten seeds each, under both kinds of order."""
    optimizers = {title: text.format(lr=10**exponent) for title, (text, exponent, _) in PUBLISHED.items()}
    fixed, new = (
        tune(setting, f"quadratic-deep-{order}", ["quadratic-deep"], optimizers, order=order)[0] for order in ORDERS
    )
    replayed, reshuffled = fixed.verdict(), new.verdict()
    checks = (
        *_data(),
        *(_published(fixed, title, loss) for title, (_, _, loss) in PUBLISHED.items()),
        better("one order, replayed", replayed, "Momentum 0.99", "Adam"),
        better("one order, replayed", replayed, "Momentum 0.99", "SGD"),
        better("a new order every epoch, at the same rates", reshuffled, "Adam", "Momentum 0.99"),
        better("a new order every epoch, at the same rates", reshuffled, "SGD", "Momentum 0.99"),
    )
    drawn, (curves, ends) = figure("quadratic-deep at the rates published as best")
    runs = {
        f"{title}, {name}": found.runs[title][:1]
        for title in PUBLISHED
        for name, found in (("replayed", fixed), ("new orders", new))
    }
    draw_runs(curves, runs, "test_loss", "test loss, first seed")
    curves.set_ylim(86.5, 100)
    columns = {
        f"{title.split()[0]},\n{name}": found.finals("test_loss")[title]
        for title in PUBLISHED
        for name, found in (("replayed", fixed), ("new", new))
    }
    draw_pairs(ends, columns, "test loss after 100 epochs")
    return Shown(checks, save(drawn, setting.picture("quadratic-deep")))


def _data() -> tuple[Check, ...]:
    """The figures that are published for the data, in double precision."""
    import torch

    from fallline.problems.quadratic_deep import hessian

    problem = fl.problems.load("quadratic-deep")
    train, test = problem.train[0].double(), problem.test[0].double()
    h = hessian()

    def loss(theta: "Tensor", rows: "Tensor") -> float:
        away = theta - rows
        return float(((away @ h) * away).sum(dim=1).mean() / 2)

    start, least = torch.ones(len(h), dtype=h.dtype), train.mean(dim=0)
    return (
        close_to("test loss at the start; published of means in single precision", loss(start, test), 353.446764, 2e-6),
        printed("test loss at the training mean", loss(least, test), "87.04601"),
        printed("training loss at its minimum", loss(least, train), "84.76965"),
    )


def _published(study: Tuned, title: str, loss: float) -> Check:
    """That the run which is published is within 0.1 of the range of ours."""
    finals = study.finals("test_loss")[title]
    told = f"{min(finals):.3f} to {max(finals):.3f}, median {median(finals):.3f}"
    return holds(
        f"{title} at lr {study.rate(title):.3g}, one order: test loss of a published run among ten of ours",
        f"{loss:.3f}, within 0.1 of the range",
        told,
        min(finals) - 0.1 <= loss <= max(finals) + 0.1,
    )


ENTRIES = (
    Entry(
        "quadratic-deep",
        "A published benchmark, and the order that it replays",
        "A noisy quadratic in 100 dimensions from DeepOBS (Schneider, Balles and Hennig, 2019), whose sweeps are "
        "published. With the same order in every epoch, as there, our runs at the published best rates give the "
        "published losses, and Momentum 0.99 is first. With a new order every epoch the same rates turn the ranking "
        "round: Momentum is last by far. A replayed order repeats its noise every seven steps, and a mean over a "
        "hundred steps cancels it. Tuned anew, Momentum and Adam are not told apart (docs/quadratic-deep.md).",
        quadratic_deep,
    ),
)

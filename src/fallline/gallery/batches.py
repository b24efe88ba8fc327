"""Batch, stochastic and mini-batch descent."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Check, Entry, Setting, Shown, above, below, close_to, holds, printed
from fallline.gallery.pictures import figure, save

if TYPE_CHECKING:
    from torch import Tensor

WHOLE = 1437
SIZES = (WHOLE, 256, 64, 1)
EPOCHS = 4
RATE = 0.1
OWN_RATES = {WHOLE: 1.0, 256: 1.0, 64: 1.0, 1: 0.01}
GOAL = 0.3
BYTES_PER_ROW = 4 * (64 + 64 + 10) + 8


def batch_sizes(setting: Setting) -> Shown:
    """The whole set, 256, 64 and 1 sample a step, for the same number of epochs."""
    same = {r["batch_size"]: r for r in _train_sizes(setting, RATE, SIZES)}
    own = {
        r["batch_size"]: r
        for rate in dict.fromkeys(OWN_RATES.values())
        for r in _train_sizes(setting, rate, [size for size in SIZES if OWN_RATES[size] == rate])
    }
    held = {size: _held_for_backward(size) for size in SIZES}
    drawn, (epochs, seconds, memory) = figure("Batch, stochastic and mini-batch descent on digits", columns=3)
    _draw_epochs(epochs, same)
    _draw_seconds(seconds, own)
    _draw_memory(memory, held)
    checks = (
        printed(f"updates in {EPOCHS} epochs at batch {_list(SIZES)}", _ends(same, "step"), "4 24 92 5748"),
        *_progress(same, own),
        printed(
            f"bytes held for the backward pass at batch {_list(SIZES)}: {BYTES_PER_ROW} a row, 4 for their number",
            [float(size) for size in held.values()],
            " ".join(str(BYTES_PER_ROW * size + 4) for size in SIZES),
        ),
        close_to(
            "memory for the whole set over that for a mini-batch of 64, in rows 1437 / 64 = 22.45",
            held[WHOLE] / held[64],
            WHOLE / 64,
            0.01,
        ),
    )
    return Shown(checks, save(drawn, setting.picture("batch-sizes")))


def _train_sizes(setting: Setting, rate: float, sizes: Sequence[int]) -> "list[Any]":
    results = fl.compare(
        "digits",
        [fl.rules.SGD(lr=rate)],
        protocol="sweep",
        batch_sizes=sizes,
        epochs=EPOCHS,
        seeds=1,
        validation=0,
        threads=1,
        store=setting.store(f"batch-sizes-{rate:g}"),
        progress=setting.progress,
    )
    return sorted(results.records, key=lambda record: -record["batch_size"])


def _progress(same: "dict[int, Any]", own: "dict[int, Any]") -> list[Check]:
    losses = _ends(same, "train_loss")
    falls = {size: [b < a for a, b in pairwise(run.curve["train_loss"])] for size, run in same.items()}
    return [
        holds(
            f"training loss after {EPOCHS} epochs at batch {_list(SIZES)}, all at lr {RATE:g}",
            "the smaller the batch, the lower",
            [round(loss, 4) for loss in losses],
            losses == sorted(losses, reverse=True),
        ),
        holds(
            "evaluations at which the training loss rose, batch 1437 and batch 1",
            "none; some",
            [falls[size].count(False) for size in (WHOLE, 1)],
            all(falls[WHOLE]) and not all(falls[1]),
        ),
        below(
            f"training loss at batch {WHOLE} before the first update, less that after {EPOCHS} epochs",
            same[WHOLE].curve["train_loss"][0] - losses[0],
            0.05,
        ),
        above(
            "seconds of an epoch at batch 1 over those at batch 64",
            same[1].seconds / same[64].seconds,
            5.0,
        ),
        below(
            "seconds of an update of 64 rows over those of an update of one",
            (same[64].seconds / same[64].curve["step"][-1]) / (same[1].seconds / same[1].curve["step"][-1]),
            4.0,
        ),
        above(
            f"training loss at batch 1437 and lr {OWN_RATES[WHOLE]:g}: {EPOCHS} updates are too few",
            own[WHOLE].final("train_loss"),
            GOAL,
        ),
        above(
            f"seconds to a training loss of {GOAL:g}, each at its own rate: batch 1 over batch 64",
            _seconds_to_goal(own[1]) / _seconds_to_goal(own[64]),
            2.0,
        ),
    ]


def _seconds_to_goal(record: Any) -> float:
    curve = record.curve
    reached = zip(_seconds(record), curve["train_loss"], strict=True)
    return next((seconds for seconds, loss in reached if loss <= GOAL), math.inf)


def _seconds(record: Any) -> list[float]:
    """The seconds that the updates up to each evaluation took: all updates of a run are of the same size."""
    steps = record.curve["step"]
    return [record.seconds * step / steps[-1] for step in steps]


def _held_for_backward(rows: int) -> int:
    """The bytes of all tensors that one forward pass keeps for the backward pass, without the parameters.

    It is what a step needs for its batch, the batch included, and the same on every machine.
    """
    from torch.autograd.graph import saved_tensors_hooks

    problem = fl.problems.load("digits")
    model = problem.make_model()
    x, y = (part[:rows].clone() for part in problem.train)
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    held: dict[int, int] = {}

    def note(saved: "Tensor") -> "Tensor":
        storage = saved.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return saved

    with saved_tensors_hooks(note, lambda saved: saved):
        loss = problem.loss(model(x), y)
    assert loss.requires_grad
    return sum(held.values())


def _ends(runs: "dict[int, Any]", quantity: str) -> list[float]:
    return [run.curve[quantity][-1] for run in runs.values()]


def _list(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _named(size: int) -> str:
    return f"batch {size}, the whole set" if size == WHOLE else f"batch {size}"


def _color(size: int) -> str:
    from fallline.report.colors import PALETTE

    return PALETTE[SIZES.index(size)]


def _draw_epochs(axes: Any, runs: "dict[int, Any]") -> None:
    for size, run in runs.items():
        curve = run.curve
        epochs = [samples / WHOLE for samples in curve["samples"]]
        axes.plot(epochs, curve["train_loss"], ".-", color=_color(size), linewidth=1.3, label=_named(size))
    axes.set(xlabel="epoch", ylabel="training loss", yscale="log", title=f"all at lr {RATE:g}")
    axes.legend(loc="best")


def _draw_seconds(axes: Any, runs: "dict[int, Any]") -> None:
    for size, run in runs.items():
        label = f"{_named(size)}, lr {OWN_RATES[size]:g}"
        axes.plot(
            _seconds(run)[1:],
            run.curve["train_loss"][1:],
            ".-",
            color=_color(size),
            linewidth=1.3,
            label=label,
        )
    axes.axhline(GOAL, color="grey", linestyle="--", linewidth=1)
    axes.set(xlabel="seconds of updates", xscale="log", yscale="log", title="each at a rate of its own")
    axes.legend(loc="lower left")


def _draw_memory(axes: Any, held: dict[int, int]) -> None:
    for place, (size, count) in enumerate(held.items()):
        axes.bar(place, count / 1000, color=_color(size))
        axes.annotate(f"{count / 1000:,.4g}", (place, count / 1000), ha="center", va="bottom")
    axes.set_xticks(range(len(held)), [str(size) for size in held])
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.08)
    axes.set(xlabel="batch size", ylabel="kB held for the backward pass", yscale="log", title="memory of a step")


ENTRIES = (
    Entry(
        "batch-sizes",
        "Batch, stochastic and mini-batch descent",
        "In the same epochs small batches make more updates: at the same rate one sample a step gets farthest, "
        "trembling, and takes by far the longest; the whole set makes one smooth update an epoch, hardly moves, and "
        "holds all rows in memory at once. A mini-batch computes its many rows at a small multiple of the "
        "cost of one, and with a rate of its own for each size it is first in seconds.",
        batch_sizes,
    ),
)

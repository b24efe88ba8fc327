"""What a DataLoader promises: the study sees exactly the batches that its options say."""

import warnings
from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Check, Entry, Setting, Shown, holds
from fallline.gallery.pictures import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS = 2
Batches = list[tuple[int, ...]]


def dataloader(setting: Setting) -> Shown:
    """Every option on twelve numbered rows, and which of them each update saw."""
    import torch

    from fallline.gallery.loader_problems import Backwards, backwards, numbered

    own = [[0], [1, 2], [3, 4, 5], [6, 7, 8, 9]]
    pinning = torch.accelerator.is_available()
    with warnings.catch_warnings():
        # Without an accelerator torch says that nothing will be pinned.
        warnings.filterwarnings("ignore", message=".*pin_memory.*")
        results = fl.compare(
            [
                numbered("batch_size=5", batch_size=5),
                numbered("drop_last=True", batch_size=5, drop_last=True),
                numbered("shuffle=True", batch_size=4, shuffle=True),
                numbered("sampler", batch_size=4, sampler=Backwards()),
                numbered("batch_sampler", batch_sampler=own),
                numbered("num_workers=2", batch_size=4, shuffle=True, num_workers=2),
                numbered("collate_fn", batch_size=4, collate_fn=backwards),
                numbered("pin_memory=True", batch_size=4, pin_memory=True),
            ],
            [fl.rules.SGD(lr=0.1)],
            protocol="sweep",
            epochs=EPOCHS,
            evaluate_every=1,
            seeds=1,
            threads=1,
            store=setting.store("dataloader"),
            progress=setting.progress,
        )
    records = {record["problem"]: record for record in results.records}
    seen = {name: _seen(record) for name, record in records.items()}
    in_order: Batches = [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11)]
    shuffled, by_workers = seen["shuffle=True"], [batch[1:] for batch in seen["num_workers=2"]]
    checks = (
        _exactly(seen, "batch_size=5", [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9), (10, 11)]),
        _exactly(seen, "drop_last=True", [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)]),
        holds(
            "shuffle=True: batches of 2 epochs",
            "every row once an epoch, in a new order each epoch",
            _told(shuffled),
            _once_an_epoch(shuffled) and shuffled[:3] != shuffled[3:] and in_order not in (shuffled[:3], shuffled[3:]),
        ),
        _exactly(seen, "sampler", [batch[::-1] for batch in reversed(in_order)]),
        _exactly(seen, "batch_sampler", [tuple(batch) for batch in own]),
        holds(
            "num_workers=2 with shuffle=True: batches of 2 epochs",
            "those of shuffle=True without workers",
            _told(by_workers),
            by_workers == shuffled,
        ),
        holds(
            "num_workers=2: the worker process that read each batch",
            "0, 1, 0, 0, 1, 0: in turn, anew each epoch",
            ", ".join(str(batch[0]) for batch in seen["num_workers=2"]),
            [batch[0] for batch in seen["num_workers=2"]] == [0, 1, 0] * EPOCHS,
        ),
        _exactly(seen, "collate_fn", [batch[::-1] for batch in in_order]),
        _exactly(seen, "pin_memory=True", in_order),
        holds(
            "pin_memory=True: whether the batches lie in pinned memory",
            "where torch sees an accelerator",
            f"pinned {bool(records['pin_memory=True'].final('train_pinned'))}, accelerator {pinning}",
            records["pin_memory=True"].final("train_pinned") == float(pinning),
        ),
    )
    return Shown(checks, save(_picture({**seen, "num_workers=2": by_workers}), setting.picture("dataloader")))


def _seen(record: Any) -> Batches:
    """The rows of every batch: with an evaluation at every step batch_loss is the loss of one batch."""
    from fallline.gallery.loader_problems import read

    return [read(loss) for loss in record.curve["batch_loss"][1:]]


def _exactly(seen: dict[str, Batches], name: str, epoch: Batches) -> Check:
    return holds(f"{name}: batches of 2 epochs", _told(epoch * EPOCHS), _told(seen[name]), seen[name] == epoch * EPOCHS)


def _once_an_epoch(batches: Batches) -> bool:
    half = len(batches) // EPOCHS
    epochs = (batches[:half], batches[half:])
    return all(sorted(row for batch in epoch for row in batch) == list(range(12)) for epoch in epochs)


def _told(batches: Batches) -> str:
    return " | ".join(" ".join(map(str, batch)) for batch in batches)


def _picture(seen: dict[str, Batches]) -> "Figure":
    """The rows in the order in which they were seen, each batch in one colour of two."""
    from matplotlib.figure import Figure

    from fallline.report.colors import PALETTE

    drawn = Figure(figsize=(11.2, 5.6), layout="constrained")
    drawn.suptitle("Which rows each update saw: 2 epochs of 12 rows behind a DataLoader")
    for axes, (name, batches) in zip(drawn.subplots(2, 4, sharex=True, sharey=True).flat, seen.items(), strict=True):
        place = 0
        for number, batch in enumerate(batches):
            axes.bar(
                range(place, place + len(batch)),
                [0.9] * len(batch),
                1.0,
                [row - 0.45 for row in batch],
                color=PALETTE[number % 2],
            )
            place += len(batch)
        axes.axvline(place / EPOCHS - 0.5, color="black", linewidth=0.8)
        axes.set_title(name)
    drawn.supxlabel("rows seen so far; a change of colour is a new batch, the line a new epoch", fontsize=10)
    drawn.supylabel("row of the data set", fontsize=10)
    return drawn


ENTRIES = (
    Entry(
        "dataloader",
        "A DataLoader's promises hold",
        "A study takes the batches of the user's own DataLoader as they come: batch_size, shuffle, sampler, "
        "batch_sampler, num_workers, collate_fn, pin_memory and drop_last mean what torch says they mean. The rows "
        "are numbered and the loss spells the numbers of its batch, so that the recorded curve itself tells which "
        "rows every update saw.",
        dataloader,
    ),
)

"""Linear regression by hand: four lines of data, one of model, and digits that do not depend on chance."""

from typing import Any

import fallline as fl
from fallline.gallery.concise import FIRST_STEPS, beside_torch
from fallline.gallery.entry import Entry, Setting, Shown, below, printed, within
from fallline.gallery.pictures import draw_series, figure, save
from fallline.gallery.study import study

LR = 0.0003
STEPS_PER_EPOCH = 100
TRUE_WEIGHT = (2.0, -3.4)
TRUE_BIAS = 4.2


def by_hand(setting: Setting) -> Shown:
    """The published run, and the same in another order of the samples."""
    start: Any = fl.problems.load("linear").make_model()
    runs = {order: _train(setting, 20, order) for order in (0, 1)}
    checks = [printed("initial w", start.weight[0].tolist(), "0.0033 0.0007")]
    for order, results in runs.items():
        where = "" if order == 0 else ", batches in another order"
        weight, bias = _errors(results)
        checks += [
            printed(f"loss after 300 epochs{where}", _final(results), "0.000049"),
            printed(f"true w minus estimate{where}", weight, "0.0004 -0.0008"),
            printed(f"true b minus estimate{where}", bias, "0.0008"),
        ]
    theirs = _study(setting, "linear-by-hand-torch", 20, f"torch.optim.SGD:lr={LR}", steps=FIRST_STEPS)
    checks += beside_torch([(runs[0].records[0], theirs.records[0])], STEPS_PER_EPOCH)
    return Shown(tuple(checks), _picture(setting, "linear-by-hand", runs, "order {}"))


def other_data(setting: Setting) -> Shown:
    """The same on data and initial weights drawn with other seeds."""
    runs = {data_seed: _train(setting, data_seed, 0) for data_seed in (21, 22)}
    losses = [_final(results) for results in runs.values()]
    errors = [abs(e) for results in runs.values() for part in _errors(results) for e in part]
    return Shown(
        (
            within("loss after 300 epochs, data seeds 21 and 22", losses, 0.00004, 0.00006),
            below("largest error of w and b", max(errors), 0.002),
        ),
        _picture(setting, "linear-other-data", runs, "data seed {}"),
    )


def _train(setting: Setting, data_seed: int, order: int) -> "fl.Results":
    return _study(setting, f"linear-data-{data_seed}-order-{order}", data_seed, fl.rules.SGD(lr=LR), order, epochs=300)


def _study(setting: Setting, name: str, data_seed: int, optimizer: Any, order: int = 0, **length: Any) -> "fl.Results":
    return study(
        setting,
        name,
        f"linear:data_seed={data_seed}",
        [optimizer],
        batch_sizes=[10],
        losses_every=1,
        seeds=1,
        seed=order,
        **length,
    )


def _final(results: "fl.Results") -> float:
    return results.records[0].final("train_loss")


def _errors(results: "fl.Results") -> tuple[list[float], list[float]]:
    model: Any = results.best().model()
    weight = [true - found for true, found in zip(TRUE_WEIGHT, model.weight[0].tolist(), strict=True)]
    return weight, [TRUE_BIAS - model.bias.item()]


def _picture(setting: Setting, name: str, runs: "dict[int, fl.Results]", label: str) -> Any:
    drawn, (axes,) = figure("Linear regression by hand", columns=1)
    curves = {label.format(key): results.records[0].curve["train_loss"] for key, results in runs.items()}
    draw_series(axes, curves, "training loss", {"noise alone, 0.01^2 / 2": 0.00005}, xlabel="epoch")
    return save(drawn, setting.picture(name))


ENTRIES = (
    Entry(
        "linear-by-hand",
        "Linear regression by hand",
        "1,000 points, two weights and a bias, by mini-batches of ten: the loss falls to the noise and the "
        "weights are found to three digits. lr 0.0003 multiplies the mean gradient of a batch; with the sum "
        "it would be ten times larger and the remaining errors would be gone. They are what is left of the "
        "way: (1 - lr)^30000 of the distance, in any order.",
        by_hand,
    ),
    Entry(
        "linear-other-data",
        "Linear regression by hand, other data",
        "Data, noise and initial weights drawn with other seeds give the same picture: a loss of half the "
        "noise's variance, and errors below 0.002.",
        other_data,
    ),
)

"""L2 as a loss term and as weight decay, and what L1 does that L2 does not."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import fallline as fl
from fallline.gallery.entry import Entry, Setting, Shown, above, below, holds
from fallline.gallery.paired import runs
from fallline.gallery.pictures import figure, save
from fallline.gallery.seeds import draw_runs

if TYPE_CHECKING:
    from torch import Tensor

    from fallline.study.record import Record

STRENGTH = 0.01
ROUNDING = 1e-12
STRENGTHS = (1e-4, 1e-3, 1e-2)
SEEDS = 4


def l2_weight_decay(setting: Setting) -> Shown:
    """A term of the loss, a factor of the study and torch's hyperparameter, in float64."""
    sgd, adam = fl.rules.SGD(lr=0.3), fl.rules.Adam(lr=0.01)
    vary = {"l2_term": [0, STRENGTH], "l2": [0, STRENGTH]}
    both = _train(setting, "l2-sgd", sgd, vary)
    plain, term, factor = (runs(both.records, l2_term=a, l2=b)[0] for a, b in ((0, 0), (STRENGTH, 0), (0, STRENGTH)))
    beside = _train(setting, "l2-sgd-beside", sgd, {"decoupled_decay": [STRENGTH]})
    every = _train(setting, "l2-sgd-all", sgd, {"l2": [STRENGTH]}, penalise="all")
    torchs = _train(setting, "l2-torch", f"torch.optim.SGD:lr=0.3,weight_decay={STRENGTH}", {})
    adams = _train(setting, "l2-adam", adam, vary)
    adam_term, adam_factor = (runs(adams.records, l2_term=a, l2=b)[0] for a, b in ((STRENGTH, 0), (0, STRENGTH)))
    adamw = _train(setting, "l2-adam-beside", adam, {"decoupled_decay": [STRENGTH]})
    end = _weights(both, factor)
    checks = (
        below(
            f"SGD: largest relative difference of weights and biases, {STRENGTH} / 2 |W|^2 in the loss against l2 = "
            f"{STRENGTH}",
            _apart(_weights(both, term), end),
            ROUNDING,
        ),
        above("the same, l2 against no penalty", _apart(_weights(both, plain), end), 0.01),
        below(
            "SGD: the same, decay beside the step against l2",
            _apart(_weights(beside, beside.records[0]), end),
            ROUNDING,
        ),
        below(
            "torch.optim.SGD with weight_decay against l2 on all parameters",
            _apart(_weights(torchs, torchs.records[0]), _weights(every, every.records[0])),
            ROUNDING,
        ),
        below(
            "norm of the biases with torch's weight_decay over that with l2 on weights alone",
            torchs.records[0].final("train_bias_norm") / factor.final("train_bias_norm"),
            0.9,
        ),
        below(
            "Adam: the term in the loss against l2",
            _apart(_weights(adams, adam_term), _weights(adams, adam_factor)),
            ROUNDING,
        ),
        above(
            "Adam: decay beside the step (AdamW) against l2",
            _apart(_weights(adamw, adamw.records[0]), _weights(adams, adam_factor)),
            0.1,
        ),
    )
    drawn, (weights, biases) = figure("L2 of 0.01 on digits, plain descent: three ways, one path")
    shown = {
        "no penalty": [plain],
        "l2": [factor],
        "torch's weight_decay, biases too": torchs.records,
    }
    for axes, quantity, ylabel in (
        (weights, "train_weight_norm", "norm of the weights"),
        (biases, "train_bias_norm", "norm of the biases"),
    ):
        draw_runs(axes, shown, quantity, ylabel)
        _dotted(axes, term, quantity, "o", 6, "term in the loss")
        _dotted(axes, beside.records[0], quantity, "x", 4, "decay beside the step")
        axes.legend(loc="best")
    return Shown(checks, save(drawn, setting.picture("l2-weight-decay")))


def l1_zeros(setting: Setting) -> Shown:
    """L1 as a proximal step, L1 as a term of the loss, and L2, at three strengths."""
    penalties = {"l1": "L1, proximal step", "l1_term": "L1, term in the loss", "l2": "L2"}
    studies = {
        factor: _train(setting, f"zeros-{factor}", fl.rules.SGD(lr=0.5), {factor: STRENGTHS}, seeds=SEEDS, epochs=4)
        for factor in penalties
    }
    ended = {
        factor: {s: runs(results.records, **{factor: s}) for s in STRENGTHS} for factor, results in studies.items()
    }
    zeros, near = (
        {
            factor: {s: [run.final(quantity) for run in several] for s, several in by.items()}
            for factor, by in ended.items()
        }
        for quantity in ("train_zeros", "train_near_zeros")
    )
    checks = (
        *(
            above(
                f"strength {s:g}: weights that are exactly 0, L1 less L2, each of {SEEDS} seeds",
                [round(a - b, 4) for a, b in zip(zeros["l1"][s], zeros["l2"][s], strict=True)],
                0.0,
            )
            for s in STRENGTHS
        ),
        *(
            above(
                f"strength {s:g}: weights below 0.001, L1 less L2, each of {SEEDS} seeds",
                [round(a - b, 4) for a, b in zip(near["l1"][s], near["l2"][s], strict=True)],
                0.0,
            )
            for s in STRENGTHS
        ),
        holds(
            "weights that are exactly 0 with L2, any strength and seed",
            "none",
            max(max(values) for values in zeros["l2"].values()),
            not any(any(values) for values in zeros["l2"].values()),
        ),
        holds(
            "weights that are exactly 0 with L1 as a term in the loss",
            "none",
            max(max(values) for values in zeros["l1_term"].values()),
            not any(any(values) for values in zeros["l1_term"].values()),
        ),
        above(
            "strength 0.001: weights below 0.001 with L1 as a term in the loss, less those with L2",
            [round(a - b, 4) for a, b in zip(near["l1_term"][1e-3], near["l2"][1e-3], strict=True)],
            0.0,
        ),
    )
    drawn, (fractions, histogram) = figure("Weights of a 64-32-10 network on digits")
    _draw_fractions(fractions, {name: zeros[factor] for factor, name in penalties.items()})
    middle = STRENGTHS[1]
    _draw_histogram(
        histogram,
        {name: _weights(studies[factor], ended[factor][middle][0]) for factor, name in penalties.items()},
    )
    histogram.set_title(f"strength {middle:g}, first seed")
    return Shown(checks, save(drawn, setting.picture("l1-zeros")))


def _train(
    setting: Setting, name: str, optimizer: Any, vary: Mapping[str, Sequence[Any]], epochs: int = 3, **rest: Any
) -> "fl.Results":
    from fallline.gallery.weights_seen import penalised_digits

    return fl.compare(
        penalised_digits(),
        [optimizer],
        protocol="sweep",
        vary=vary,
        batch_sizes=[64],
        epochs=epochs,
        seeds=rest.pop("seeds", 1),
        threads=1,
        store=setting.store(name),
        progress=setting.progress,
        **rest,
    )


def _weights(results: "fl.Results", record: "Record") -> "dict[str, Tensor]":
    from fallline.study.weights import load_weights

    return load_weights(results.folder, record.key)


def _apart(ours: "Mapping[str, Tensor]", theirs: "Mapping[str, Tensor]") -> float:
    """The largest relative difference in norm of a parameter."""
    return max(float((ours[name] - theirs[name]).norm() / theirs[name].norm()) for name in theirs)


def _dotted(axes: Any, record: "Record", quantity: str, marker: str, size: float, label: str) -> None:
    steps, values = record.curve["step"][::3], record.curve[quantity][::3]
    axes.plot(steps, values, marker, fillstyle="none", color="black", markersize=size, label=label)


def _draw_fractions(axes: Any, conditions: "Mapping[str, Mapping[float, Sequence[float]]]") -> None:
    from fallline.report.colors import looks

    for place, (name, look) in enumerate(looks(conditions).items()):
        for strength, values in conditions[name].items():
            x = [strength * 1.12 ** (place - 1)] * len(values)
            label = name if strength == STRENGTHS[0] else None
            axes.plot(x, values, look.marker.matplotlib, color=look.color, markersize=5, label=label)
    axes.set(xscale="log", xlabel="strength of the penalty", ylabel="fraction of weights that are exactly 0")
    axes.legend(loc="upper left")


def _draw_histogram(axes: Any, networks: "Mapping[str, Mapping[str, Tensor]]") -> None:
    import numpy as np

    from fallline.report.colors import looks

    for name, look in looks(networks).items():
        flat = np.concatenate([x.numpy().ravel() for key, x in networks[name].items() if key.endswith("weight")])
        sizes = np.maximum(np.abs(flat), 1e-8)
        axes.hist(sizes, bins=np.geomspace(1e-8, 2, 60), histtype="step", color=look.color, linewidth=1.5, label=name)
    axes.set(xscale="log", yscale="log", xlabel="size of a weight; exact zeros stand at 1e-8", ylabel="weights")
    axes.legend(loc="upper left", bbox_to_anchor=(0.08, 1))


ENTRIES = (
    Entry(
        "l2-weight-decay",
        "L2: a term of the loss, and weight decay",
        "Half of lambda times the squared weights in the loss, and weight decay of lambda, are the same for plain "
        "descent, to rounding; so is decay beside the step. Two things are often told wrongly: torch's weight_decay "
        "shrinks the biases as well, where l2 on the weights leaves them alone, and for Adam decay beside the step "
        "(AdamW) is another method than L2.",
        l2_weight_decay,
    ),
    Entry(
        "l1-zeros",
        "L1 makes zeros",
        "At equal strength L1 leaves more weights at zero or near it than L2, which leaves none exactly there. But "
        "exact zeros come from the proximal step: the tutorials' way, a sum of |w| in the loss, throws small weights "
        "from one side of zero to the other and leaves none at zero either, though many near it.",
        l1_zeros,
    ),
)

"""Sparse features: whether rare words favour adaptive rules."""

from collections.abc import Mapping
from typing import Literal

from fallline.gallery.entry import Entry, Setting, Shown, below
from fallline.gallery.pictures import figure, save
from fallline.gallery.seeds import draw_pairs
from fallline.gallery.tuned import Tuned, better, tune

PLAIN = {"SGD": "sgd", "Momentum": "momentum"}
ADAPTIVE = {"Adagrad": "adagrad", "RMSprop": "rmsprop", "Adadelta": "adadelta", "Adam": "adam"}
STEPS = 400
BATCH = 32
CLAIM = "'sparse features favour adaptive rules'"


def sparse(setting: Setting) -> Shown:
    """Six optimizers on documents with rare words, at constant and annealed rates, and with words equally rare."""
    constant = _tune(setting, "zipf", {**PLAIN, **ADAPTIVE})
    annealed = _tune(setting, "zipf", {**PLAIN, **ADAPTIVE}, "cosine")
    equal = _tune(setting, "equal", {"SGD": "sgd", "Adagrad": "adagrad"})
    judged, calmed = constant.verdict(), annealed.verdict()
    lead, calm, even = (_lead(study) for study in (constant, annealed, equal))
    checks = (
        *(better(f"{CLAIM}: {one} against {other}", judged, one, other) for other in PLAIN for one in ADAPTIVE),
        *(
            better(f"{CLAIM}, all rates annealed: {one} against {other}", calmed, one, other)
            for other in PLAIN
            for one in ("Adagrad", "RMSprop", "Adam")
        ),
        below("Adagrad's lead over SGD where the rates of all are annealed, as a part of that above", calm / lead, 0.6),
        below("the same where all words are equally rare, in one document of 78", even / lead, 0.6),
    )
    drawn, panels = figure("Documents of rare and frequent words, six optimizers, ten seeds", columns=3)
    titles = ("rare and frequent words", "the same, cosine annealing", "all words equally rare")
    for axes, study, title in zip(panels, (constant, annealed, equal), titles, strict=True):
        draw_pairs(axes, study.finals("test_loss"), "test loss")
        axes.set_title(title)
        axes.tick_params(axis="x", labelsize=8)
    ends = [axes.get_ylim() for axes in panels]
    for axes in panels:
        axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
    return Shown(checks, save(drawn, setting.picture("choosing-sparse")))


def _tune(
    setting: Setting, spread: Literal["zipf", "equal"], optimizers: Mapping[str, str], schedule: str = "constant"
) -> Tuned:
    from fallline.gallery.words_problem import words

    name = f"choosing-sparse-{spread}-{schedule}"
    (found,) = tune(setting, name, [words(spread)], optimizers, schedule, steps=STEPS, batch_sizes=[BATCH])
    return found


def _lead(study: Tuned) -> float:
    return study.verdict().between("Adagrad", "SGD").lead.estimate


ENTRIES = (
    Entry(
        "choosing-sparse",
        "Sparse features and adaptive rules",
        "Made-up documents: which of 500 words occur, from one in every second document to one in 288, and a label "
        "about which all words say equally much, the rare ones much where they are. The claim holds: tuned alike, "
        "each adaptive rule ends below plain descent and Momentum. But two thirds of Adagrad's lead are gone where "
        "the rates of all are annealed, and more where all words are equally rare: what favours adaptive rules is "
        "that frequencies differ, more than that features are sparse, and part of what they do is to calm the "
        "weights of frequent words.",
        sparse,
    ),
)

"""The gallery: classic experiments, each with the numbers that it must show.

Listing the entries does not import torch: their files do so when they run.
"""

import time

from fallline.errors import InputError
from fallline.gallery import (
    adagrad_rate,
    adam_steps,
    adaptive,
    airfoil,
    annealing,
    backpropagation,
    batches,
    cubic,
    dead_units,
    descent,
    differences,
    dropout,
    gradient_noise,
    gradients,
    label_order,
    linear,
    loaders,
    mnist,
    mnist_concise,
    mnist_noise,
    mnist_rate,
    nonzero,
    normalisation,
    overfitting,
    polynomial,
    quadratic_deep,
    sparse_words,
    traces,
    weight_decay,
)
from fallline.gallery.entry import Check as Check
from fallline.gallery.entry import Entry as Entry
from fallline.gallery.entry import Exhibit as Exhibit
from fallline.gallery.entry import Setting as Setting
from fallline.suggestions import unknown

_ROOMS = {
    "Stochastic gradient descent on MNIST": (mnist_noise, mnist, mnist_rate),
    "Two-dimensional traces": (traces,),
    "Airfoil self-noise, linear regression": (airfoil,),
    "Five optimizers on a cubic": (cubic,),
    "MNIST, 784-500-10": (mnist_concise,),
    "Linear regression by hand": (linear,),
    "Why is the loss not zero?": (nonzero,),
    "Why downhill is along the gradient": (descent,),
    "Backpropagation by hand": (backpropagation,),
    "Vanishing and exploding gradients": (gradients, dead_units),
    "Regularisation": (weight_decay, polynomial, overfitting, normalisation, dropout, gradient_noise, annealing),
    "Batch, stochastic, mini-batch": (batches, label_order, loaders),
    "Choosing an optimizer": (sparse_words, adaptive, adam_steps, adagrad_rate),
    "Where the tutorials and torch differ": (differences,),
    "A published benchmark": (quadratic_deep,),
}
CHAPTERS: dict[str, tuple[Entry, ...]] = {
    title: tuple(entry for room in rooms for entry in room.ENTRIES) for title, rooms in _ROOMS.items()
}
"""The entries by experiment, in the order in which they are shown."""

ENTRIES: dict[str, Entry] = {entry.name: entry for chapter in CHAPTERS.values() for entry in chapter}
"""Every entry by name."""


def run_entry(name: str, setting: Setting) -> Exhibit:
    """Run one entry. Raises InputError for an unknown name, or where a data file is missing.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run_entry("trace-adagrad-0.4", Setting(Path(folder))).passed
    True
    """
    if name not in ENTRIES:
        raise InputError(unknown(name, list(ENTRIES), "entry of the gallery"))
    from fallline.report.canvas import styled

    entry = ENTRIES[name]
    began = time.perf_counter()
    with styled():
        shown = entry.run(setting)
    return Exhibit(entry, shown.checks, shown.picture, time.perf_counter() - began)

"""The gallery: classic experiments, each with the numbers that it must show.

Listing the entries does not import torch: their files do so when they run.
"""

import time

from fallline.errors import InputError
from fallline.gallery import (
    airfoil,
    annealing,
    backpropagation,
    batches,
    dead_units,
    descent,
    differences,
    dropout,
    gradient_noise,
    gradients,
    label_order,
    linear,
    loaders,
    nonzero,
    normalisation,
    overfitting,
    polynomial,
    traces,
    weight_decay,
)
from fallline.gallery.entry import Check as Check
from fallline.gallery.entry import Entry as Entry
from fallline.gallery.entry import Exhibit as Exhibit
from fallline.gallery.entry import Setting as Setting
from fallline.suggestions import unknown

_ROOMS = (
    traces,
    airfoil,
    linear,
    nonzero,
    descent,
    backpropagation,
    gradients,
    dead_units,
    weight_decay,
    polynomial,
    overfitting,
    normalisation,
    dropout,
    gradient_noise,
    annealing,
    batches,
    label_order,
    loaders,
    differences,
)
ENTRIES: dict[str, Entry] = {entry.name: entry for room in _ROOMS for entry in room.ENTRIES}
"""Every entry by name, in the order in which they are shown."""


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

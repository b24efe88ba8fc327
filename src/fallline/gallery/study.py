"""The study that an entry runs: anew each time, on all training rows."""

from collections.abc import Sequence
from typing import Any

import fallline as fl
from fallline.gallery.entry import Setting


def study(
    setting: Setting, name: str, problem: "str | fl.Problem", optimizers: Sequence[Any], **rest: Any
) -> "fl.Results":
    """`fallline.compare` with nothing held out. One thread, as several on busy cores wait for each other."""
    return fl.compare(
        problem,
        optimizers,
        protocol="sweep",
        validation=0,
        threads=1,
        store=setting.store(name),
        progress=setting.progress,
        **rest,
    )

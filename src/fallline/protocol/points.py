"""Points in the unit cube that a search tries: random, Sobol's or Halton's, scrambled."""

from typing import Any

from fallline.keys import numpy_stream
from fallline.statistics.sample import Numbers


def points(search: str, dimensions: int, count: int, seed: int, label: str, repeat: int) -> Numbers:
    """At least `count` points with so many coordinates in [0, 1), row by row.

    They are keyed by the study's seed, the optimizer's label and the repeat, so that every optimizer and every repeat
    searches independently. More points begin with the same ones.
    """
    stream = numpy_stream(seed, f"search of {label}", repeat)
    if search == "random":
        return stream.random((count, dimensions))
    # scipy.stats takes a while to import, which studies that try grids need not wait for.
    from scipy.stats import qmc

    kinds: dict[str, Any] = {"sobol": qmc.Sobol, "halton": qmc.Halton}
    # Sobol's points are balanced in powers of two.
    found: Numbers = kinds[search](dimensions, scramble=True, seed=stream).random(1 << (count - 1).bit_length())
    return found

"""Points in the unit cube that a search tries: random, Sobol's or Halton's, scrambled."""

from typing import Any

from fallline.keys import key, numpy_stream
from fallline.statistics.sample import Numbers


def points(search: str, dimensions: int, count: int, seed: int, label: str, repeat: int) -> Numbers:
    """At least `count` points with so many coordinates in [0, 1), row by row.

    They are keyed by the study's seed, the optimizer's label and the repeat, so that every optimizer and every repeat
    searches independently. More points begin with the same ones.
    """
    purpose = f"search of {label}"
    if search == "random":
        return numpy_stream(seed, purpose, repeat).random((count, dimensions))
    # scipy.stats takes a while to import, which studies that try grids need not wait for.
    from scipy.stats import qmc

    kinds: dict[str, Any] = {"sobol": qmc.Sobol, "halton": qmc.Halton}
    # Sobol's points are balanced in powers of two.
    balanced = 1 << (count - 1).bit_length()
    found: Numbers = kinds[search](dimensions, scramble=True, seed=key(seed, purpose, repeat)).random(balanced)
    return found

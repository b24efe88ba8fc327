"""Functions of two variables on which the path of an optimizer can be seen."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from fallline.errors import InputError
from fallline.suggestions import unknown


@dataclass(frozen=True)
class Surface:
    """f(x1, x2): where a path begins, the window that a picture shows, and its minima (none for a saddle)."""

    name: str
    function: Callable[[Tensor, Tensor], Tensor]
    start: tuple[float, float]
    window: tuple[tuple[float, float], tuple[float, float]]
    minima: tuple[tuple[float, float], ...]


SURFACES = {
    surface.name: surface
    for surface in (
        Surface(
            "quadratic",
            lambda x1, x2: 0.1 * x1**2 + 2 * x2**2,
            start=(-5.0, -2.0),
            window=((-5.5, 1.0), (-3.0, 2.0)),
            minima=((0.0, 0.0),),
        ),
        Surface(
            "rosenbrock",
            lambda x1, x2: (1 - x1) ** 2 + 100 * (x2 - x1**2) ** 2,
            start=(-1.5, 2.0),
            window=((-2.0, 2.0), (-1.0, 3.0)),
            minima=((1.0, 1.0),),
        ),
        Surface(
            "beale",
            lambda x1, x2: (1.5 - x1 + x1 * x2) ** 2 + (2.25 - x1 + x1 * x2**2) ** 2 + (2.625 - x1 + x1 * x2**3) ** 2,
            start=(1.0, 1.5),
            window=((-1.0, 4.5), (-2.5, 2.5)),
            minima=((3.0, 0.5),),
        ),
        Surface(
            "himmelblau",
            lambda x1, x2: (x1**2 + x2 - 11) ** 2 + (x1 + x2**2 - 7) ** 2,
            start=(0.0, 0.0),
            window=((-5.5, 5.5), (-5.5, 5.5)),
            minima=((3.0, 2.0), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)),
        ),
        Surface(
            "saddle",
            lambda x1, x2: x1**2 - x2**2,
            start=(-1.0, 0.01),
            window=((-1.5, 1.5), (-1.5, 1.5)),
            minima=(),
        ),
    )
}


def surface(name: str) -> Surface:
    """A surface by name: quadratic 0.1 x1^2 + 2 x2^2, rosenbrock, beale, himmelblau or saddle x1^2 - x2^2.

    >>> surface("quadratic").minima
    ((0.0, 0.0),)
    """
    if not isinstance(name, str) or name not in SURFACES:
        raise InputError(unknown(name, list(SURFACES), "surface"))
    return SURFACES[name]

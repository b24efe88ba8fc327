"""Gradient descent with momentum."""

from dataclasses import dataclass
from typing import ClassVar

from fallline.rules.ranges import LogRange, Nonnegative
from fallline.rules.sgd import SGD


@dataclass(frozen=True)
class Momentum(SGD):
    """Momentum (Polyak, 1964, doi:10.1016/0041-5553(64)90137-5): SGD's formula, its momentum always there.

    `nesterov=True` is Nesterov's accelerated gradient (Nesterov, 1983; in this form Sutskever et al., 2013).

    >>> Momentum(lr=0.1).momentum
    0.9
    """

    momentum: Nonnegative = 0.9

    search: ClassVar = {"lr": LogRange(1e-4, 1.0)}
    namesake: ClassVar = None
    includes: ClassVar = ("SGD",)

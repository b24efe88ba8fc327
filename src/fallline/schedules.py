"""Learning-rate schedules: pure functions of the step, which say by what the learning rate is multiplied.

Lengths (`warmup`, `every`, `rise`, `patience`) below 1 are fractions of the training, from 1 on they are numbers of
steps. In a loop of one's own: `torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule(step, total))`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from fallline.errors import InputError, shown
from fallline.imports import absolute, load_object
from fallline.suggestions import unknown

Losses = Sequence[tuple[int, float]]
"""What was measured so far: (step, validation loss), or training loss where nothing is held out."""


@dataclass(frozen=True)
class Schedule:
    """What all schedules are: a shape after an optional linear warm-up.

    Called with the number of updates made before (0 at the first), the number of updates in all, and the losses
    measured so far, it gives the multiplier of the learning rate; after the last update it stays where it ended. One's
    own is a frozen dataclass with a `shape`, at the top of a module:

    >>> @dataclass(frozen=True)
    ... class Halved(Schedule):
    ...     def shape(self, step, total, losses):
    ...         return 1.0 if step < total / 2 else 0.5
    >>> [Halved()(step, 4) for step in range(4)]
    [1.0, 1.0, 0.5, 0.5]
    """

    warmup: float = field(default=0.0, kw_only=True)

    looks_at_losses: ClassVar[bool] = True
    """Whether the multiplier depends on what was measured; one's own may say that it does not, which saves time."""

    def __post_init__(self) -> None:
        for name, value in self.settings().items():
            self._check(name, value)

    def __call__(self, step: int, total: int, losses: Losses = ()) -> float:
        rising = length(self.warmup, total)
        if step < rising:
            return (step + 1) / (rising + 1)
        falling = max(total - rising, 1)
        return self.shape(min(step - rising, falling), falling, [(at - rising, loss) for at, loss in losses])

    def shape(self, step: int, total: int, losses: Losses) -> float:
        """The multiplier after the warm-up, steps counted from its end."""
        return 1.0

    def settings(self) -> dict[str, Any]:
        """The values of all fields by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __str__(self) -> str:
        changed = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        told = ",".join(f"{name}={value}" for name, value in changed.items())
        return f"{_name(type(self))}:{told}" if told else _name(type(self))

    def _check(self, name: str, value: Any) -> None:
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or value < 0:
            raise InputError(f"Schedule {_name(type(self))}: {name} must be a number of at least 0; got {value!r}.")


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate as it is."""

    looks_at_losses: ClassVar = False


@dataclass(frozen=True)
class Warmup(Schedule):
    """A linear rise over the first tenth, or `warmup`, then constant (Goyal et al., 2017, arXiv:1706.02677)."""

    looks_at_losses: ClassVar = False

    warmup: float = field(default=0.1, kw_only=True)


@dataclass(frozen=True)
class Step(Schedule):
    """Multiplied by `factor` after `every` third of the training, or so many steps: torch's StepLR."""

    looks_at_losses: ClassVar = False

    every: float = 1 / 3
    factor: float = 0.1

    def shape(self, step: int, total: int, losses: Losses) -> float:
        between = self.every * total if self.every < 1 else round(self.every)
        # A third of a number of steps is rarely whole; 1e-9 keeps 3 * (1 / 3) from falling short.
        return math.pow(self.factor, int(step / max(between, 1) + 1e-9))


@dataclass(frozen=True)
class Exponential(Schedule):
    """Falls by the same ratio at every step, to `final` at the end."""

    looks_at_losses: ClassVar = False

    final: float = 0.01

    def shape(self, step: int, total: int, losses: Losses) -> float:
        return math.pow(self.final, step / total)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine wave from 1 to `final` (Loshchilov and Hutter, 2017, arXiv:1608.03983), without restarts.

    >>> [round(Cosine()(step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    looks_at_losses: ClassVar = False

    final: float = 0.0

    def shape(self, step: int, total: int, losses: Losses) -> float:
        return _cosine(1.0, self.final, step / total)


@dataclass(frozen=True)
class Polynomial(Schedule):
    """Falls to `final` as (1 - step / total)^power; power 1 is linear decay."""

    looks_at_losses: ClassVar = False

    power: float = 1.0
    final: float = 0.0

    def shape(self, step: int, total: int, losses: Losses) -> float:
        return self.final + (1 - self.final) * math.pow(1 - step / total, self.power)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rises along a cosine from `start` to 1, the optimizer's own rate, and falls to `final` (Smith and Topin, 2018,
    arXiv:1708.07120). The defaults are those of torch's OneCycleLR; momentum is left alone.
    """

    looks_at_losses: ClassVar = False

    rise: float = 0.3
    start: float = 1 / 25
    final: float = 1 / 250_000

    def shape(self, step: int, total: int, losses: Losses) -> float:
        rising = max(length(self.rise, total), 1)
        if step < rising:
            return _cosine(self.start, 1.0, step / rising)
        return _cosine(1.0, self.final, (step - rising) / max(total - rising, 1))


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """A linear warm-up, then falling as 1 / sqrt(step) (Vaswani et al., 2017, arXiv:1706.03762)."""

    looks_at_losses: ClassVar = False

    warmup: float = field(default=0.1, kw_only=True)

    def __call__(self, step: int, total: int, losses: Losses = ()) -> float:
        peak = max(length(self.warmup, total), 1)
        return min((step + 1) / peak, math.sqrt(peak / (step + 1)))


@dataclass(frozen=True)
class Plateau(Schedule):
    """Multiplied by `factor` whenever the validation loss has not fallen for `patience` (a tenth of the training, or so
    many steps): a pure function of the losses measured so far, which an evaluation adds to.
    """

    factor: float = 0.1
    patience: float = 0.1

    def shape(self, step: int, total: int, losses: Losses) -> float:
        waited = max(length(self.patience, total), 1)
        multiplier, best, since = 1.0, math.inf, 0
        for at, loss in losses:
            if loss < best:
                best, since = loss, at
            elif at - since >= waited:
                multiplier, since = multiplier * self.factor, at
        return multiplier


BUILT_IN: dict[str, type[Schedule]] = {
    "constant": Constant,
    "warmup": Warmup,
    "step": Step,
    "exponential": Exponential,
    "cosine": Cosine,
    "polynomial": Polynomial,
    "onecycle": OneCycle,
    "inverse-sqrt": InverseSqrt,
    "plateau": Plateau,
}


def schedule(given: str | Schedule | type[Schedule]) -> Schedule:
    """A schedule from text (`cosine`, `step:every=0.5,factor=0.1`, `file.py:Class:key=value`), a class, or one itself.

    Raises InputError for an unknown name, key or value.

    >>> str(schedule("cosine:warmup=0.05"))
    'cosine:warmup=0.05'
    """
    if isinstance(given, Schedule):
        return given
    if not isinstance(given, str):
        return _made(given, {}, shown(given))
    head, _, tail = given.rpartition(":")
    name, written = (head, tail) if head and "=" in tail else (given, "")
    settings = dict(item.partition("=")[::2] for item in filter(None, written.split(",")))
    return _made(_kind(name), settings, given)


def length(given: float, total: int) -> int:
    """A length in steps: below 1 a fraction of the total, from 1 on steps already."""
    return round(given * total) if given < 1 else round(given)


def _kind(name: str) -> Any:
    if name in BUILT_IN:
        return BUILT_IN[name]
    if ":" not in name:
        raise InputError(unknown(name, BUILT_IN, "schedule") + " For your own: file.py:Class or package.module:Class.")
    return load_object(absolute(name))


def _made(kind: Any, written: dict[str, str], given: str) -> Schedule:
    if not (isinstance(kind, type) and issubclass(kind, Schedule)):
        raise InputError(f"A schedule must be a name or a fallline Schedule; got {given}.")
    known = [f.name for f in fields(kind)]
    for name in written:
        if name not in known:
            raise InputError(unknown(name, known, f"setting of schedule {_name(kind)}"))
    return kind(**{name: _number(value, name, given) for name, value in written.items()})


def _number(text: str, name: str, given: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"Schedule {given}: {name} must be a number; got {text!r}.") from None


def _name(kind: type[Schedule]) -> str:
    own = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, built_in in BUILT_IN.items() if built_in is kind), own)


def _cosine(begin: float, end: float, part: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * part)) / 2

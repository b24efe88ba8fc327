"""What a gallery is made of: entries that run, and the checks that they leave behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.plain import finite

Numbers = float | Sequence[float]


@dataclass(frozen=True)
class Check:
    """One claim: what was looked at, what is expected, what was measured, and whether they agree."""

    what: str
    expected: Any
    measured: Any
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """The check in plain values; non-finite numbers are None."""
        return {
            "what": self.what,
            "expected": finite(self.expected),
            "measured": finite(self.measured),
            "passed": self.passed,
        }


def close_to(what: str, measured: float, expected: float, tolerance: float) -> Check:
    """A number that may differ by at most `tolerance`.

    >>> close_to("the sum", 3.02, expected=3, tolerance=0.1).passed
    True
    """
    return Check(what, f"{expected:g} ± {tolerance:g}", _readable(measured), abs(measured - expected) <= tolerance)


def within(what: str, measured: Numbers, low: float, high: float) -> Check:
    """A number, or every number of several, from `low` to `high`, both included."""
    return Check(
        what,
        f"{low:.8g} to {high:.8g}",
        _readable(measured),
        _all(measured, lambda value: low <= value <= high),
    )


def in_band(what: str, measured: Numbers, band: str) -> Check:
    """A number, or every number of several, in a band as it was given, both ends included.

    >>> in_band("the loss", 0.1, "0.07 to 0.10").expected
    '0.07 to 0.10'
    """
    low, high = map(float, band.split(" to "))
    return replace(within(what, measured, low, high), expected=band)


def below(what: str, measured: Numbers, bound: float) -> Check:
    """A number, or every number of several, below `bound`."""
    return Check(what, f"below {bound:g}", _readable(measured), _all(measured, lambda value: value < bound))


def above(what: str, measured: Numbers, bound: float) -> Check:
    """A number, or every number of several, above `bound`."""
    return Check(what, f"above {bound:g}", _readable(measured), _all(measured, lambda value: value > bound))


def printed(what: str, measured: Numbers, expected: str) -> Check:
    """Numbers that print as published, digit for digit; `expected` holds them parted by spaces.

    >>> printed("the weights", [0.00331, 0.00068], "0.0033 0.0007").passed
    True
    """
    words = expected.split()
    values = [measured] if isinstance(measured, int | float) else list(measured)
    last = _decimals(words[-1])
    digits = [_decimals(word) for word in words] + [last] * (len(values) - len(words))
    text = " ".join(f"{value:.{places}f}" for value, places in zip(values, digits, strict=False))
    return Check(what, " ".join(words), text, text == " ".join(words))


def holds(what: str, expected: str, measured: Any, passed: bool) -> Check:
    """Any other claim, put in words."""
    return Check(what, expected, measured, bool(passed))


@dataclass(frozen=True)
class Setting:
    """Where an entry runs: the folder for its picture and studies, and the one that holds the data."""

    folder: Path
    data_dir: Path | None = None
    progress: bool = False

    def picture(self, name: str) -> Path:
        """Where the picture of an entry goes."""
        self._make(self.folder)
        return self.folder / f"{name}.png"

    def store(self, name: str) -> Path:
        """A new folder for a study: an entry trains anew each time."""
        studies = self.folder / "studies"
        self._make(studies)
        number = 1
        while True:
            folder = studies / f"{name}-{number:04d}"
            try:
                folder.mkdir()
            except FileExistsError:
                number += 1
                continue
            except OSError as error:
                raise InputError(f"The folder {folder} cannot be made: {error.strerror}.") from None
            return folder

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The folder {folder} cannot be made: {error.strerror}. Name another.") from None


@dataclass(frozen=True)
class Shown:
    """What an entry hands back: its checks and its picture."""

    checks: tuple[Check, ...]
    picture: Path


@dataclass(frozen=True)
class Entry:
    """A classic experiment: its name, a title, what it shows in a few sentences, and how to run it."""

    name: str
    title: str
    says: str
    run: Callable[[Setting], Shown]


@dataclass(frozen=True)
class Exhibit:
    """An entry that has run."""

    entry: Entry
    checks: tuple[Check, ...]
    picture: Path
    seconds: float

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.entry.name

    @property
    def title(self) -> str:
        """The entry's title."""
        return self.entry.title

    @property
    def says(self) -> str:
        """What the entry shows."""
        return self.entry.says

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The exhibit as `--json` prints it."""
        return {
            "name": self.name,
            "title": self.title,
            "says": self.says,
            "passed": self.passed,
            "checks": [check.to_json() for check in self.checks],
            "picture": str(self.picture),
            "seconds": self.seconds,
        }


def _all(measured: Numbers, claim: Callable[[float], bool]) -> bool:
    values = [measured] if isinstance(measured, int | float) else list(measured)
    return bool(values) and all(claim(value) for value in values)


def _decimals(word: str) -> int:
    return len(word.partition(".")[2])


def _readable(measured: Numbers) -> float | list[float]:
    if isinstance(measured, int | float):
        return float(f"{measured:.7g}")
    return [float(f"{value:.7g}") for value in measured]

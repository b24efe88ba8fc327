"""What can go wrong that is not a result: bad input, and a machine that failed us."""

import reprlib
from collections.abc import Callable
from traceback import walk_tb
from typing import Any

from fallline.whose import is_users


class FalllineError(Exception):
    """Any error that fallline raises on purpose; its message says what to do."""


class InputError(FalllineError, ValueError):
    """Bad input, found before any training: what was got, what was expected, where, what to do."""


class WrongArgument(InputError):
    """Arguments that cannot be: the name of each in Python, and what is wrong with it, to be read on behind the name.

    >>> print(WrongArgument(("epochs", " must be at least 1; got 0"), ("order", " must be text; got 3")))
    epochs must be at least 1; got 0; order must be text; got 3.
    """

    def __init__(self, *wrong: tuple[str, str]) -> None:
        self.wrong = wrong
        super().__init__(self.told(str))

    def told(self, spelled: Callable[[str], str]) -> str:
        """The message, with names as somebody else spells them."""
        return "; ".join(spelled(name) + what for name, what in self.wrong) + "."

    def renamed(self, **names: str) -> "WrongArgument":
        """The same of a function that calls some arguments otherwise."""
        return WrongArgument(*((names.get(name, name), what) for name, what in self.wrong))


class MachineError(FalllineError):
    """The disk, the memory or another program failed; what was trained is kept and can be resumed."""


def describe_failure(error: BaseException) -> str:
    """What an exception in somebody else's code says, and where: the last line of the user's own that led there, or the
    line that raised it.
    """
    said = " ".join(str(error).split())
    lines = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    own = [place for place in lines if is_users(place[0])]
    place = "".join(f" ({file}, line {line})" for file, line in (own or lines)[-1:])
    return f"{type(error).__name__}: {said}{place}"


def shown(value: Any) -> str:
    """A wrong value for a message: on one line, and a tensor, an array or anything long as a short picture of it.

    >>> shown([0.1] * 1000), shown("adam")
    ('[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, ...]', "'adam'")
    """
    return " ".join(_SHORT.repr(value).split())


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = 120

    def repr_instance(self, x: Any, level: int) -> str:
        text: str = super().repr_instance(x, level)
        if hasattr(x, "shape") and hasattr(x, "dtype") and (len(text) > self.maxother // 2 or "\n" in text):
            return f"{type(x).__name__} {str(x.dtype).removeprefix('torch.')}{list(x.shape)}"
        return text


_SHORT = _Short()

"""A target: the condition whose first step is reported, such as `validation_accuracy>=0.95`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from fallline.errors import InputError, shown
from fallline.suggestions import unknown


@dataclass(frozen=True)
class Target:
    """A quantity of the curve that must reach a value from below or from above.

    >>> Target.parse("test_accuracy>=0.97").value
    0.97
    """

    quantity: str
    at_least: bool
    value: float

    @classmethod
    def parse(cls, text: str, known: Iterable[str] | None = None) -> "Target":
        """The target that text describes; `known` are the quantities that are recorded."""
        match = isinstance(text, str) and re.fullmatch(r"\s*([A-Za-z_]\w*)\s*(>=|<=)\s*([^\s]+)\s*", text)
        try:
            value = float(match.group(3)) if match else float("nan")
        except ValueError:
            value = float("nan")
        if not match or value != value or abs(value) == float("inf"):
            raise InputError(
                f"A target is QUANTITY>=VALUE or QUANTITY<=VALUE, such as validation_accuracy>=0.95; got {shown(text)}."
            )
        quantity = match.group(1)
        if known is not None and quantity not in (names := list(known)):
            raise InputError(unknown(quantity, names, "recorded quantity"))
        return cls(quantity, match.group(2) == ">=", value)

    def __str__(self) -> str:
        return f"{self.quantity}{'>=' if self.at_least else '<='}{self.value:g}"

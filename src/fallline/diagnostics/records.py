"""Reading records: columns of plain numbers, one per quantity and layer or activation."""

import math
from collections.abc import Mapping, Sequence

from fallline.errors import InputError

Columns = Mapping[str, Sequence[float]]


class Records:
    """The columns of a watch (`Watch.columns`), asked by record. Other columns beside them are ignored.

    Columns of one quantity must stand in the model's order, as the watch gives them.
    """

    def __init__(self, columns: Columns) -> None:
        if "step" not in columns:
            raise InputError(
                f"Records need a column 'step', as Watch.columns() has; got {', '.join(columns) or 'none'}."
            )
        self.steps = [int(step) for step in columns["step"]]
        self._columns = columns
        ragged = [key for key in columns if "/" in key and len(columns[key]) != len(self.steps)]
        if ragged:
            raise InputError(f"Column {ragged[0]!r} has {len(columns[ragged[0]])} rows; 'step' has {len(self.steps)}.")

    def at(self, quantity: str, record: int) -> dict[str, float]:
        """A quantity of every layer or activation that has one in a record."""
        found = {}
        for key, column in self._columns.items():
            if key.startswith(f"{quantity}/") and not math.isnan(column[record]):
                found[key.partition("/")[2]] = column[record]
        return found

    def gradient_is_finite(self, record: int) -> bool:
        """Whether a record has gradients, all of them finite."""
        return bool(self.at("gradient_norm", record)) and not any(self.at("nonfinite_gradients", record).values())

    def last_finite(self) -> int | None:
        """The last record whose gradients are all finite."""
        return next((k for k in reversed(range(len(self.steps))) if self.gradient_is_finite(k)), None)

"""The search space of one optimizer, put together from its rule's own and from what the user gives."""

from collections.abc import Mapping, Sequence
from typing import Any

from fallline.errors import InputError, shown
from fallline.rules import LogRange
from fallline.rules.kinds import Kind
from fallline.study.values import distinct, parse_range, parse_values


class SearchSpace:
    """The values tried of each hyperparameter that is set, in the order in which it was; `ranges` are those that were
    given as a range, which `grid` has cut into so many values.

    What is taken later stands in place of what was there. Raises InputError for values that cannot be.
    """

    def __init__(self, label: str, kinds: Mapping[str, Kind], trials: int) -> None:
        self.label = label
        self.grid: dict[str, tuple[Any, ...]] = {}
        self.ranges: dict[str, LogRange] = {}
        self._kinds = kinds
        self._trials = trials

    def take_ranges(self, ranges: Mapping[str, LogRange]) -> None:
        """Take a rule's own ranges, of the hyperparameters that there are."""
        for name, space in ranges.items():
            if name in self._kinds:
                self._set(name, space.grid(self._trials), space)

    def take_values(self, values: Mapping[str, Sequence[Any]]) -> None:
        """Take lists of values; text among them is read as on the command line."""
        for name, given in values.items():
            read = [value for one in given for value in self._read(name, one)]
            only = given[0] if len(given) == 1 and isinstance(given[0], str) else ""
            self._set(name, read, self._range(name, only))

    def take_text(self, written: Mapping[str, str]) -> None:
        """Take what is written on the command line: `0.1`, `0.1|0.2` or `1e-3..1`."""
        for name, text in written.items():
            values = parse_values(text, self._kinds[name], self.label, name, self._trials)
            self._set(name, values, self._range(name, text))

    def _set(self, name: str, values: Sequence[Any], space: LogRange | None) -> None:
        own = [checked(self.label, self._kinds[name], name, value) for value in values]
        self.grid[name] = distinct(own, self.label, name)
        self.ranges.pop(name, None)
        if space is not None:
            self.ranges[name] = space

    def _read(self, name: str, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) and self._kinds[name].type is not str:
            return parse_values(value, self._kinds[name], self.label, name, self._trials)
        return (value,)

    def _range(self, name: str, text: str) -> LogRange | None:
        return parse_range(text, self.label, name) if self._kinds[name].type is not str else None


def checked(label: str, kind: Kind, name: str, value: Any) -> Any:
    """A value as the optimizer takes it; a learning rate of a study is above 0."""
    own = kind.checked(label, name, value)
    if name == "lr" and (isinstance(own, bool) or not isinstance(own, float) or not 0 < own < float("inf")):
        raise InputError(f"{label}: lr must be a finite number above 0; got {shown(own)}.")
    return own

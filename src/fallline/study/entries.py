"""The problems and optimizers of a study file, each checked by itself."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, ValidationInfo, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from fallline.errors import InputError, shown
from fallline.protocol import TRIALS
from fallline.study.contenders import Contender
from fallline.study.named import NamedProblem, named
from fallline.study.parsing import contender
from fallline.study.specification import Value
from fallline.suggestions import unknown


class ProblemEntry(BaseModel):
    """A problem: a name as on the command line, options, and a target in place of its own."""

    model_config = ConfigDict(extra="forbid")

    name: str
    options: dict[str, Value] = {}
    target: str | None = None
    _named: NamedProblem = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: Any) -> Any:
        return _table(given)

    @model_validator(mode="after")
    def _load(self, info: ValidationInfo) -> "ProblemEntry":
        folder, data_dir = seen_from(info)
        self._named = named(anchored(self.name, folder), data_dir, self.options, self.target)
        return self

    @property
    def named(self) -> NamedProblem:
        """The problem itself."""
        return self._named


class OptimizerEntry(BaseModel):
    """An optimizer: a name as on the command line, and beside it values of hyperparameters, one or a list of each.

    `label` is what it is called in results. Without `tune` what is given no values stands at the optimizer's own.
    """

    model_config = ConfigDict(extra="allow")

    name: str
    label: str | None = None
    tune: bool = True
    _tried: dict[str, tuple[Any, ...]] = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: Any) -> Any:
        return _table(given)

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> "OptimizerEntry":
        self.name = anchored(self.name, seen_from(info)[0])
        own = contender(self.name, tune=False)
        self._tried = dict(_flat(self.model_extra or {}))
        refuse_each(((name, values, self._refused(own, name)) for name, values in self._tried.items()))
        return self

    def _refused(self, own: Contender, name: str) -> str | None:
        if name in own.own:
            return f"{self.name!r} gives values of {name} too; leave one of them out"
        try:
            grid = contender(self.name, None, {name: self._tried[name]}, tune=False).grid
        except InputError as error:
            return str(error)
        return (
            None if _key(name, grid) in grid else unknown(name, own.hyperparameters, f"hyperparameter of {own.label}")
        )

    def contender(
        self, rates: Sequence[Any] | None, varied: Mapping[str, Sequence[Any]] | None, trials: int = TRIALS
    ) -> Contender:
        """What the study compares; `rates` and `varied` are tried of what has no values of its own, and ranges cut into
        so many values.
        """
        rates = None if "lr" in self._tried else rates
        made = contender(self.name, rates, {**(varied or {}), **self._tried}, self.tune, trials=trials)
        first = [_key(name, made.grid) for name in self._tried]
        return replace(
            made,
            label=self.label or made.label,
            grid={name: made.grid[name] for name in dict.fromkeys((*first, *made.grid))},
            own=made.own | self._tried.keys(),
        )


def _table(given: Any) -> Any:
    """An entry as a table, where it was written as a name alone."""
    if not isinstance(given, str | dict):
        raise ValueError(f"must be a name, or a table with a name; got {shown(given)}")
    return {"name": given} if isinstance(given, str) else given


def seen_from(info: ValidationInfo) -> tuple[Path, Path | None]:
    """The folder from which paths are seen, and that of the data files."""
    folder, data_dir = info.context or (Path(), None)
    return folder, data_dir


def anchored(reference: str, folder: Path) -> str:
    """A reference to a file as seen from a folder; other names as they are.

    >>> anchored("rules.py:Mine:lr=0.1", Path("studies")), anchored("adam:lr=0.1", Path("studies"))
    ('studies/rules.py:Mine:lr=0.1', 'adam:lr=0.1')
    """
    place = re.match(r"[^:=]+\.py(?=:|$)", reference)
    return reference if place is None else (folder / place[0]).as_posix() + reference[place.end() :]


def refuse_each(found: Iterable[tuple[str, Any, str | None]]) -> None:
    """Raise one error for all that is wrong with named values: name, value, and what is wrong or None."""
    wrong = [
        InitErrorDetails(type=PydanticCustomError("refused", "{said}", {"said": said}), loc=(name,), input=value)
        for name, value, said in found
        if said is not None
    ]
    if wrong:
        raise ValidationError.from_exception_data("values", wrong)


def several(value: Any) -> tuple[Any, ...]:
    """One value, or a list of them; a list inside is a value that is a tuple."""
    items = value if isinstance(value, list | tuple) else [value]
    return tuple(tuple(item) if isinstance(item, list) else item for item in items)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, tuple[Any, ...]]]:
    """Hyperparameters by name: TOML reads `others.lr = 0.1` as a table."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", several(value)


def _key(name: str, grid: Mapping[str, Any]) -> str:
    return f"l2.{name}" if f"l2.{name}" in grid else name

"""Kinds read from annotations."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Optional

import pytest

from fallline.errors import InputError
from fallline.rules import Range, Rule
from fallline.rules.kinds import Kind, kinds_of
from fallline.rules.ranges import Count, Nonnegative


@dataclass(frozen=True)
class Mixed(Rule):
    plain: float = 1.0
    bounded: Nonnegative = 1.0
    absent: Annotated[float, Range(0.0, 2.0)] | None = None
    older: Optional[float] = None  # noqa: UP045
    switch: bool = False
    count: int = 3
    note: ClassVar[str] = "no field"


def test_kinds_of_all_annotations() -> None:
    assert kinds_of(Mixed) == {
        "plain": Kind(float),
        "bounded": Kind(float, range=Range(low=0.0)),
        "absent": Kind(float, optional=True, range=Range(0.0, 2.0)),
        "older": Kind(float, optional=True),
        "switch": Kind(bool),
        "count": Kind(int),
    }


def test_only_floats_may_differ_between_members() -> None:
    assert [name for name, kind in kinds_of(Mixed).items() if kind.is_float] == [
        "plain",
        "bounded",
        "absent",
        "older",
    ]


@dataclass(frozen=True)
class Periodic(Rule):
    every: Count = 10


def test_whole_number_in_range_is_taken() -> None:
    assert Periodic(every=1).every == 1


@pytest.mark.parametrize("every", [0, -1, 1.0, 2.5, True, "3", None])
def test_what_is_no_whole_number_in_range_is_refused(every: Any) -> None:
    with pytest.raises(InputError, match="Periodic: every must be a whole number of at least 1; got"):
        Periodic(every=every)

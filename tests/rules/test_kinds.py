"""Kinds read from annotations."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Optional

from fallline.rules import Range, Rule
from fallline.rules.kinds import Kind, kinds_of
from fallline.rules.ranges import Nonnegative


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

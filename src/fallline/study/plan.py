"""The plan: how a study's members are trained. That of a stage is chosen when it begins, stored with the study and used
again by resume.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, Self

from fallline.cohorts import Costs


@dataclass(frozen=True)
class PlannedPopulation:
    """Members, by their places in the study, that train as one program: with how many threads, and whether its steps
    are compiled.

    `costs` decide at which evaluations settings that have ended leave; None where that was not worth measuring.
    `compaction` is written down when its members have ended: the steps at which some left, and how many members stayed.
    """

    members: tuple[int, ...]
    threads: int
    compiled: bool
    costs: Costs | None = None
    compaction: tuple[tuple[int, int], ...] = ()

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """The population of plain values."""
        costs = plain.get("costs")
        return cls(
            tuple(plain["members"]),
            plain["threads"],
            plain["compiled"],
            None if costs is None else Costs(**costs),
            tuple((step, left) for step, left in plain.get("compaction", ())),
        )


@dataclass(frozen=True)
class Plan:
    """Runner, device, threads (of the runner processes: how many there are) and size of a stage of a study, as a rule
    the search; `lengths` are the steps of a training by problem and batch size, `reasons` says in words why.

    `populations` are trained first; `runner` trains the members that are in none. `asked` are the runner and threads
    that the user asked for, `later` the plans of the stages after the first that have begun. Of stages that have not,
    who their members are depends on results: how many they will be, and their steps, are `members_to_come` and
    `steps_to_come`.
    """

    runner: str
    device: str
    threads: int
    members: int
    steps: int
    lengths: tuple[tuple[str, int | None, int], ...]
    reasons: tuple[str, ...]
    populations: tuple[PlannedPopulation, ...] = ()
    asked: tuple[str, int | None] = ("auto", None)
    later: tuple["Plan", ...] = ()
    members_to_come: int = 0
    steps_to_come: int = 0

    @property
    def stages(self) -> tuple["Plan", ...]:
        """The plans of the stages that have begun, in order."""
        return (self, *self.later)

    @property
    def all_members(self) -> int:
        """The members of the whole study, as far as is known."""
        return self.members_to_come + sum(stage.members for stage in self.stages)

    @property
    def all_steps(self) -> int:
        """The steps of the whole study, as far as is known."""
        return self.steps_to_come + sum(stage.steps for stage in self.stages)

    def to_json(self) -> dict[str, Any]:
        """The plan in plain values."""
        return {**asdict(self), "reasons": list(self.reasons)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """The plan of plain values; one that was stored before there were populations has none."""
        populations = map(PlannedPopulation.from_json, plain.get("populations", ()))
        return cls(
            **{
                **plain,
                "lengths": tuple((name, size, steps) for name, size, steps in plain["lengths"]),
                "reasons": tuple(plain["reasons"]),
                "populations": tuple(populations),
                "asked": tuple(plain.get("asked", ("auto", None))),
                "later": tuple(map(cls.from_json, plain.get("later", ()))),
            }
        )

    def followed_by(self, stage: "Plan", known_before: bool) -> Self:
        """The plan with that of a stage that begins, whose members were counted among those to come or were not."""
        members, steps = (stage.members, stage.steps) if known_before else (0, 0)
        return replace(
            self,
            later=(*self.later, stage),
            members_to_come=self.members_to_come - members,
            steps_to_come=self.steps_to_come - steps,
        )

    def with_stage(self, number: int, stage: "Plan") -> "Plan":
        """The plan with another in the place of a stage's."""
        if number == 0:
            return stage
        return replace(self, later=(*self.later[: number - 1], stage, *self.later[number:]))

    def compacted(self, planned: PlannedPopulation, compaction: Sequence[tuple[int, int]]) -> Self:
        """The plan with what became of one of its populations."""
        known = replace(planned, compaction=tuple(compaction))
        return replace(self, populations=tuple(known if own == planned else own for own in self.populations))

    def with_reasons(self, further: Sequence[str]) -> Self:
        """The plan with what was found while it was carried out."""
        return replace(self, reasons=tuple(dict.fromkeys((*self.reasons, *further))))

    def others(self) -> list[int]:
        """The places of the members that are in no population."""
        together = {place for own in self.populations for place in own.members}
        return [place for place in range(self.members) if place not in together]


def chunks(places: Sequence[int], rows: int, size: int) -> list[tuple[int, ...]]:
    """Places in rows of equal length, cut into parts of about equal size, none of more than `size` rows.

    >>> chunks([0, 1, 2, 3, 4, 5], rows=2, size=2)
    [(0, 1, 2, 3), (4, 5)]
    """
    count = len(places) // rows
    parts = -(-count // size)
    edges = [round(number * count / parts) * rows for number in range(parts + 1)]
    return [tuple(places[start:stop]) for start, stop in pairwise(edges)]

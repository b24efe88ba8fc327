"""The protocol, step by step: what is to be trained next, given how all before it did."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from fallline.protocol.edges import edges
from fallline.protocol.further import further_settings
from fallline.protocol.seeds import Seeds
from fallline.protocol.selection import selected
from fallline.protocol.space import Setting

Phase = Literal["search", "final"]


@dataclass(frozen=True)
class Contestant:
    """Who is compared: the settings that the search of each repeat tries, one of them at least; and which settings
    beside these would be legal.
    """

    label: str
    settings: Sequence[Sequence[Setting]]
    legal: Callable[[Setting], bool] = lambda setting: True


@dataclass(frozen=True)
class Training:
    """One training that is asked for: by its field and its contestant's place in it, its setting, seed and phase."""

    field: int
    contestant: int
    setting: Setting
    seed: int
    phase: Phase


@dataclass(frozen=True)
class Stage:
    """Trainings that can be made in any order: the search, the further trials, or the reruns."""

    name: Literal["search", "further trials", "reruns"]
    trainings: tuple[Training, ...]


@dataclass(frozen=True)
class Rerun:
    """What one search chose for a contestant, and the results of its reruns."""

    field: int
    contestant: int
    repeat: int
    setting: Setting
    results: tuple[float, ...]


def conduct(
    fields: Sequence[Sequence[Contestant]], seeds: Seeds, further: int = 0
) -> Generator[Stage, Sequence[float], list[Rerun]]:
    """Hand out one stage after another, and take the losses of its trainings, in their order; what was found.

    A field is what is compared under the same conditions. First each contestant's settings are tried on the seeds of
    the search; where nobody has two settings to choose from, there is nothing to search. If one did best at an edge
    of what it tried, everybody in its field gets `further` trials more, once in each repeat. At last what each search
    chose is trained again, on seeds that took no part in it. In a sweep (no final seeds) the search is all.

    >>> sgd = Contestant("sgd", [[{"lr": 0.1}, {"lr": 1.0}]])
    >>> course = conduct([[sgd]], Seeds(search=1, final=2))
    >>> len(next(course).trainings)
    2
    >>> [training.setting for training in course.send([0.5, 0.3]).trainings]
    [{'lr': 1.0}, {'lr': 1.0}]
    """
    tunings = [
        _Tuning(number, place, repeat, contestant, [_Tried(setting) for setting in contestant.settings[repeat]])
        for number, contestants in enumerate(fields)
        for place, contestant in enumerate(contestants)
        for repeat in range(seeds.repeats)
    ]
    if seeds.final == 0 or any(len(tuning.tried) > 1 for tuning in tunings):
        yield from _searched("search", tunings, seeds)
        if further and seeds.final:
            for tuning in _with_an_edge(tunings):
                tuning.extend(further)
            yield from _searched("further trials", tunings, seeds)
    reruns = [Rerun(t.field, t.place, t.repeat, t.best, ()) for t in tunings] if seeds.final else []
    trainings = tuple(
        Training(rerun.field, rerun.contestant, rerun.setting, seed, "final")
        for rerun in reruns
        for seed in seeds.of_reruns(rerun.repeat)
    )
    if trainings:
        results = iter((yield Stage("reruns", trainings)))
        reruns = [
            Rerun(r.field, r.contestant, r.repeat, r.setting, tuple(next(results) for _ in range(seeds.final)))
            for r in reruns
        ]
    return reruns


@dataclass
class _Tried:
    setting: Setting
    losses: list[float] = field(default_factory=list)


@dataclass
class _Tuning:
    """The search of one contestant in one repeat: what is tried, and how it did."""

    field: int
    place: int
    repeat: int
    contestant: Contestant
    tried: list[_Tried]

    @property
    def best(self) -> Setting:
        if len(self.tried) == 1:
            return self.tried[0].setting
        return self.tried[selected([tried.losses for tried in self.tried])].setting

    @property
    def at_an_edge(self) -> bool:
        values: Mapping[str, list[Any]] = {
            name: [tried.setting[name] for tried in self.tried] for name in self.tried[0].setting
        }
        return any(edges(values, self.best))

    def extend(self, count: int) -> None:
        settings = [tried.setting for tried in self.tried]
        more = further_settings(settings, self.best, count, self.contestant.legal)
        self.tried += [_Tried(setting) for setting in more if setting not in settings]


def _searched(
    name: Literal["search", "further trials"], tunings: Sequence[_Tuning], seeds: Seeds
) -> Generator[Stage, Sequence[float], None]:
    """Have all that is tried and has no losses yet trained on the seeds of the search."""
    missing = [(tuning, tried) for tuning in tunings for tried in tuning.tried if not tried.losses]
    if not missing:
        return
    trainings = tuple(
        Training(tuning.field, tuning.place, tried.setting, seed, "search")
        for tuning, tried in missing
        for seed in seeds.of_search(tuning.repeat)
    )
    losses = iter((yield Stage(name, trainings)))
    for _, tried in missing:
        tried.losses += [next(losses) for _ in range(seeds.search)]


def _with_an_edge(tunings: Sequence[_Tuning]) -> list[_Tuning]:
    """The searches of all fields and repeats in which somebody did best at an edge; fields of one contestant each count
    as one, since they are then what is compared.
    """
    alone = all(tuning.place == 0 for tuning in tunings)

    def together(tuning: _Tuning) -> tuple[int | None, int]:
        return None if alone else tuning.field, tuning.repeat

    at_edge = {together(tuning) for tuning in tunings if tuning.at_an_edge}
    return [tuning for tuning in tunings if together(tuning) in at_edge]

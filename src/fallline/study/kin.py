"""Members that may train together as one program: those that share all but optimizer, schedule, treatments and seed,
every setting with the same seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from torch import nn

from fallline import cohorts
from fallline.plain import canonical
from fallline.problems import Prepared, initial_model
from fallline.study.record import describe
from fallline.training import Member
from fallline.training.treatments import TREATMENTS


@dataclass(frozen=True)
class Kin:
    """Members by their places in the study, and why they cannot train together, if they cannot."""

    places: tuple[int, ...]
    reason: str | None


def kin_of(members: Sequence[Member], problems: Mapping[str, Prepared], seed: int) -> list[Kin]:
    """The kin of a study, their settings one after another, each with all its seeds. Members with a reason against
    training together are set apart, each reason by itself.
    """
    seeds = _seeds(members)
    found: dict[str, dict[str, list[int]]] = {}
    reasons: dict[str, str | None] = {}
    models: dict[str, nn.Module] = {}
    for place, member in enumerate(members):
        shared = canonical([member.problem, _shared(member)])
        if shared not in models:
            models[shared] = initial_model(problems[member.problem], seed, member.seed, member.factors)
        program = canonical([shared, member.optimizer, sorted(member.factors.items(), key=str), member.diagnostics])
        if program not in reasons:
            reasons[program] = cohorts.reason(member, models[shared])
        kin = canonical([shared, seeds[_setting(member)], reasons[program]])
        found.setdefault(kin, {}).setdefault(_setting(member), []).append(place)
        reasons[kin] = reasons[program]
    return [Kin(tuple(chain(*settings.values())), reasons[key]) for key, settings in found.items()]


def named(own: Sequence[Member], members: Sequence[Member]) -> str:
    """What kin are on, and what sets them apart from other kin: `digits with dropout=0.5, batch_size=32`."""
    first = _shared(own[0])
    problem = own[0].problem
    others = [_shared(member) for member in members if member.problem == problem]
    apart = [f"{name}={value}" for name, value in first.items() if any(other.get(name) != value for other in others)]
    return f"{problem} with {', '.join(apart)}" if apart else problem


def _shared(member: Member) -> dict[str, Any]:
    """What kin on one problem have in common."""
    own = {name: value for name, value in member.factors.items() if name not in TREATMENTS}
    return {**own, "batch_size": member.batch_size, "order": member.order}


def _seeds(members: Sequence[Member]) -> dict[str, list[int]]:
    """The seeds with which each setting is trained."""
    found: dict[str, list[int]] = {}
    for member in members:
        found.setdefault(_setting(member), []).append(member.seed)
    return found


def _setting(member: Member) -> str:
    return canonical({**describe(member), "seed": None})

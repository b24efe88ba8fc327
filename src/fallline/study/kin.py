"""Members that may train together as one program: those that share all but optimizer, schedule, treatments and seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from fallline import cohorts
from fallline.plain import canonical
from fallline.problems import Prepared, initial_model
from fallline.training import Member
from fallline.training.treatments import TREATMENTS


@dataclass(frozen=True)
class Kin:
    """Members by their places in the study, and why they cannot train together, if they cannot."""

    places: tuple[int, ...]
    reason: str | None


def kin_of(members: Sequence[Member], problems: Mapping[str, Prepared], seed: int) -> list[Kin]:
    """The kin of a study. Members with a reason against it are set apart, each reason by itself."""
    found: dict[str, list[int]] = {}
    reasons: dict[str, str | None] = {}
    models: dict[str, nn.Module] = {}
    for place, member in enumerate(members):
        factors = {name: value for name, value in member.factors.items() if name not in TREATMENTS}
        shared = canonical([member.problem, factors, member.batch_size, member.order])
        if shared not in models:
            models[shared] = initial_model(problems[member.problem], seed, member.seed, member.factors)
        program = canonical([shared, member.optimizer, sorted(member.factors.items(), key=str), member.diagnostics])
        if program not in reasons:
            reasons[program] = cohorts.reason(member, models[shared])
        found.setdefault(canonical([shared, reasons[program]]), []).append(place)
        reasons[canonical([shared, reasons[program]])] = reasons[program]
    return [Kin(tuple(places), reasons[key]) for key, places in found.items()]

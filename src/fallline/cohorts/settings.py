"""The members of a cohort as a table: one row per setting, one column per seed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from fallline.cohorts.slices import Slice, slices_of
from fallline.errors import InputError
from fallline.plain import canonical
from fallline.problems.copied import copied
from fallline.problems.objective import Objective
from fallline.training.member import Member


class Settings:
    """Every setting with every seed. Raises InputError for members that are no such table."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.seeds = list(dict.fromkeys(member.seed for member in members))
        table: dict[str, dict[int, Member]] = {}
        for member in members:
            table.setdefault(_setting(member), {})[member.seed] = member
        if any(list(row) != self.seeds for row in table.values()) or len(members) != len(table) * len(self.seeds):
            raise InputError("The members of a population must be every setting with every seed.")
        self.members = [list(row.values()) for row in table.values()]

    def slices(self, model: nn.Module, objective: Objective, batch: Any) -> list[Slice]:
        """The settings sorted by program. A parameter that the loss does not depend on is left out: it stays still."""
        trained = _trained(model, objective, batch)
        return slices_of([row[0] for row in self.members], model, trained)

    def in_order_of(self, slices: Sequence[Slice]) -> "Settings":
        """The same table, its rows in the order of the slices."""
        return Settings([member for one in slices for setting in one.settings for member in self.members[setting]])


def _setting(member: Member) -> str:
    return canonical(
        [
            member.optimizer,
            dict(member.hyperparameters),
            dict(member.factors),
            str(member.schedule),
            member.batch_size,
            member.order,
        ]
    )


def _trained(model: nn.Module, objective: Objective, batch: Any) -> set[str]:
    """The parameters that a loss has a gradient for."""
    tried = copied(model)
    with torch.enable_grad():
        objective.loss(tried, batch).backward()  # type: ignore[no-untyped-call]
    return {name for name, p in tried.named_parameters() if p.grad is not None}

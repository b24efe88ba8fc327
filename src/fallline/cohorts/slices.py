"""The members of a cohort by program: settings whose optimizers are the same formula with other numbers."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from fallline.cohorts.layout import Layout
from fallline.optim import Optimizer
from fallline.rules import Rule
from fallline.training.member import Member

_Chosen = tuple[Rule, tuple[str, ...]]


@dataclass(frozen=True)
class Piece:
    """What a rule sees as one tensor: a bucket, or a single parameter where the formula must see it whole."""

    rule: Rule
    group: int
    bucket: int
    name: str | None

    def of(self, buckets: Sequence[Tensor], layout: Layout) -> Tensor:
        """The piece as a view of buckets."""
        return buckets[self.bucket] if self.name is None else layout.view(buckets, self.name)

    def names(self, layout: Layout) -> list[str]:
        """The parameters in it."""
        return layout.names(self.bucket) if self.name is None else [self.name]


@dataclass(frozen=True)
class Group:
    """A parameter group of every setting of a slice: the rule with one setting's numbers, and all settings' numbers as
    float64 columns, (settings,) each.
    """

    rule: Rule
    names: tuple[str, ...]
    values: Mapping[str, Tensor]


@dataclass(frozen=True)
class Slice:
    """Settings, by their places in the cohort, that share a program, group by group."""

    settings: tuple[int, ...]
    groups: tuple[Group, ...]

    def only(self, places: Sequence[int]) -> "Slice":
        """The same with some of its settings, given by their places in it."""
        groups = tuple(
            replace(group, values={name: column[list(places)] for name, column in group.values.items()})
            for group in self.groups
        )
        return Slice(tuple(self.settings[place] for place in places), groups)

    def pieces(self, layout: Layout) -> list[Piece]:
        """What the rules see, group by group."""
        return list(self._pieces(layout))

    def _pieces(self, layout: Layout) -> Iterator[Piece]:
        for number, group in enumerate(self.groups):
            if group.rule.acts_on == "element":
                for bucket in dict.fromkeys(layout.slots[name].bucket for name in group.names):
                    yield Piece(group.rule, number, bucket, None)
            else:
                for name in group.names:
                    yield Piece(group.rule, number, layout.slots[name].bucket, name)


def slices_of(members: Sequence[Member], model: nn.Module, trained: Collection[str]) -> list[Slice]:
    """The settings of a cohort, given by a member each, sorted by program; only parameters that are trained count."""
    found: dict[Hashable, list[tuple[int, list[_Chosen]]]] = {}
    for setting, member in enumerate(members):
        groups = _groups(member.make_optimizer(model), model, trained)
        program = tuple((rule.program(), names) for rule, names in groups)
        found.setdefault(program, []).append((setting, groups))
    return [_slice(alike) for alike in found.values()]


def kinds_of_parameters(slices: Sequence[Slice]) -> dict[str, Hashable]:
    """For each parameter in which group each slice has it: parameters of one kind are stepped alike by all."""
    numbered = [{n: i for i, group in enumerate(s.groups) for n in group.names} for s in slices]
    return {name: tuple(number[name] for number in numbered) for name in numbered[0]}


def _groups(optimizer: torch.optim.Optimizer, model: nn.Module, trained: Collection[str]) -> list[_Chosen]:
    assert isinstance(optimizer, Optimizer)
    names = {p: name for name, p in model.named_parameters()}
    groups = [
        (optimizer._rule(group), tuple(names[p] for p in group["params"] if names[p] in trained))
        for group in optimizer.param_groups
    ]
    return [(rule, own) for rule, own in groups if own]


def _slice(members: Sequence[tuple[int, list[_Chosen]]]) -> Slice:
    groups = []
    for number, (rule, names) in enumerate(members[0][1]):
        floats = [own[number][0].floats() for _, own in members]
        groups.append(Group(rule, names, {key: _column([f[key] for f in floats]) for key in floats[0]}))
    return Slice(tuple(setting for setting, _ in members), tuple(groups))


def _column(numbers: Sequence[Any]) -> Tensor:
    return torch.tensor([float(number) for number in numbers], dtype=torch.float64)

"""The tensors of a cohort before its first step: those of every member, stacked."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from fallline.cohorts.program import Program, Tensors
from fallline.cohorts.slices import Slice

Values = list[list[dict[str, Tensor]]]


def stacked(models: Sequence[nn.Module], settings: int, program: Program, values: Values) -> Tensors:
    """What the members begin with: a model per seed, the same for every setting, and their hyperparameters."""
    tensors = [tensors_of(model) for model in models]
    members = {name: _for_all(torch.stack([own[name].detach() for own in tensors]), settings) for name in tensors[0]}
    slots = program.layout.slots
    weights = program.layout.flat({name: members[name] for name in slots})
    own = [[{name: x.clone() for name, x in group.items()} for group in groups] for groups in values]
    return Tensors(
        weights=weights,
        still={name: x.clone() for name, x in members.items() if name not in slots},
        state=program.initial_state(weights, own),
        values=own,
        t=torch.zeros((), dtype=torch.float64, device=weights[0].device),
    )


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """A model's parameters and buffers by name."""
    return dict(model.named_parameters()) | dict(model.named_buffers())


def values_of(slices: Sequence[Slice], seeds: int, device: torch.device) -> Values:
    """The hyperparameters of every slice and group, (settings, seeds) each."""
    return [[_for_all_seeds(group.values, seeds, device) for group in one.groups] for one in slices]


def saved_names(model: nn.Module) -> dict[str, str]:
    """The names under which a model saves its tensors, and the first name of each."""
    first = {id(x): name for name, x in (*model.named_parameters(), *model.named_buffers())}
    return {name: first[id(x)] for name, x in model.state_dict(keep_vars=True).items() if isinstance(x, Tensor)}


def _for_all(x: Tensor, settings: int) -> Tensor:
    """A tensor per seed for every setting."""
    return x.unsqueeze(0).expand(settings, *x.shape)


def _for_all_seeds(values: Mapping[str, Tensor], seeds: int, device: torch.device) -> dict[str, Tensor]:
    return {name: x.to(device).unsqueeze(1).repeat(1, seeds) for name, x in values.items()}

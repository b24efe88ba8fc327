"""The noise that a step may draw, keyed by what it is drawn for."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.executors import Part
from fallline.optim.names import names_by_position
from fallline.randomness import torch_stream


def keyed_noise(
    groups: Sequence[Mapping[str, Any]], parts: Sequence[Part], seed: int
) -> Callable[[Tensor, int, int], Tensor]:
    """Standard normal noise shaped like a parameter, by its position and the number of the call in this step.

    It is keyed by the parameter's own count, which no later step can meet again where gradients are missing; and by
    its name where it has one, so that other groups of the same model draw the same.
    """
    count = {position: t for part in parts for position, t in zip(part.position, part.t, strict=True)}
    names = names_by_position(groups)

    def draw(p: Tensor, position: int, call: int) -> Tensor:
        purpose = f"noise/{position if names[position] is None else names[position]}/{call}"
        generator = torch_stream(seed, purpose, step=count[position], device=p.device)
        return _placed(torch.randn(p.shape, generator=generator, dtype=p.dtype, device=p.device), p)

    return draw


def _placed(noise: Tensor, p: Any) -> Tensor:
    """The noise sharded over processes as p is: all draw the same, and each keeps its part."""
    if not hasattr(p, "device_mesh"):
        return noise
    from torch.distributed.tensor import distribute_tensor

    placed: Tensor = distribute_tensor(noise, p.device_mesh, p.placements, src_data_rank=None)
    return placed

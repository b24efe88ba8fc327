"""Random numbers as inputs of a program: drawn outside, by the same keys as in a single training."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fallline.randomness import key, torch_stream


@dataclass(frozen=True)
class Noise:
    """A draw of standard normal noise: parameters with their shapes, side by side, for one call of a rule."""

    parameters: tuple[tuple[str, torch.Size], ...]
    call: int
    dtype: torch.dtype


class Draws:
    """The draws of a cohort's seeds, by what they are for; each stacks one draw per seed."""

    def __init__(self, seed: int, indices: Sequence[int], device: torch.device) -> None:
        self._seed = seed
        self._indices = list(indices)
        self._device = device

    def uniform(self, call: int, shape: torch.Size, step: int) -> Tensor:
        """What a call of dropout is thresholded with at a step: (seeds, *shape) in [0, 1)."""
        drawn = [
            torch.rand(
                shape,
                generator=torch_stream(self._seed, f"dropout/{call}", index, step, self._device),
                device=self._device,
            )
            for index in self._indices
        ]
        return torch.stack(drawn)

    def noise(self, wanted: Noise, step: int) -> Tensor:
        """What a rule asks for at a step: (seeds, elements)."""
        return torch.stack([self._noise(wanted, step, index) for index in self._indices])

    def _noise(self, wanted: Noise, step: int, index: int) -> Tensor:
        own = key(self._seed, "noise", index) % 2**63
        drawn = []
        for name, shape in wanted.parameters:
            stream = torch_stream(own, f"noise/{name}/{wanted.call}", step=step, device=self._device)
            drawn.append(torch.randn(shape, generator=stream, dtype=wanted.dtype, device=self._device).reshape(-1))
        return torch.cat(drawn)

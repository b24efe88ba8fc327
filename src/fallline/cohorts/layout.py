"""Where the trained parameters of a model lie: side by side in a few flat buckets."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LARGE = 1 << 15
"""From how many elements on a parameter lies by itself."""


@dataclass(frozen=True)
class Slot:
    """A parameter's place in its bucket."""

    bucket: int
    start: int
    stop: int
    shape: torch.Size


class Layout:
    """Small parameters of one type and one kind share a bucket, in the model's order, so that a formula which acts on
    elements sees them as one tensor; large ones have one each, which spares a copy of their gradients. Leading axes
    (settings, seeds) stand before the elements everywhere.
    """

    def __init__(self, parameters: Mapping[str, Tensor], kinds: Mapping[str, Hashable]) -> None:
        numbers: dict[Hashable, int] = {}
        self.slots: dict[str, Slot] = {}
        self.sizes: list[int] = []
        for name, p in parameters.items():
            alone = name if p.numel() >= LARGE else None
            bucket = numbers.setdefault((p.dtype, kinds[name], alone), len(numbers))
            self.sizes += [0] * (bucket == len(self.sizes))
            start = self.sizes[bucket]
            self.sizes[bucket] += p.numel()
            self.slots[name] = Slot(bucket, start, self.sizes[bucket], p.shape)

    def names(self, bucket: int) -> list[str]:
        """The parameters in a bucket, in their order there."""
        return [name for name, slot in self.slots.items() if slot.bucket == bucket]

    def flat(self, tensors: Mapping[str, Tensor]) -> list[Tensor]:
        """Buckets from tensors by name."""
        return [
            torch.cat([_flattened(tensors[name], self.slots[name].shape) for name in self.names(bucket)], dim=-1)
            for bucket in range(len(self.sizes))
        ]

    def views(self, buckets: Sequence[Tensor]) -> dict[str, Tensor]:
        """Every parameter as a view into its bucket."""
        return {name: self.view(buckets, name) for name in self.slots}

    def view(self, buckets: Sequence[Tensor], name: str) -> Tensor:
        """One parameter as a view into its bucket."""
        slot = self.slots[name]
        bucket = buckets[slot.bucket]
        return bucket[..., slot.start : slot.stop].view(*bucket.shape[:-1], *slot.shape)


def _flattened(x: Tensor, shape: torch.Size) -> Tensor:
    return x.reshape(*x.shape[: x.dim() - len(shape)], shape.numel())

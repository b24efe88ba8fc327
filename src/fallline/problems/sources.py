"""Where batches come from: tensors held on the device, a dataset that is streamed, or the user's own DataLoader."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data import DataLoader, Dataset, Subset

from fallline.randomness import forked, key, numpy_stream, seed_global

RESIDENT_BYTES = 2 * 1024**3
"""How much data is held in memory at once; what is larger is streamed."""
_READ_BATCH = 1024


class Stream:
    """A name for one epoch's randomness: (seed, purpose, index, step)."""

    def __init__(self, seed: int, purpose: str, index: int = 0, step: int = 0) -> None:
        self.words = (seed, purpose, index, step)


class Resident:
    """Tensors that stay on the device; a batch is a selection of rows."""

    def __init__(self, tensors: Any, device: torch.device) -> None:
        self.tensors = tree_map(lambda x: x.to(device), tensors)
        self.device = device
        self.rows: int = len(tree_leaves(self.tensors)[0])

    def steps(self, batch_size: int) -> int:
        """How many batches an epoch has, the ragged last one included."""
        return -(-self.rows // batch_size)

    def epoch(self, batch_size: int, order: Tensor | None, stream: Stream) -> Iterator[Any]:
        """Batches of rows in the given order."""
        assert order is not None
        for chosen in _in_batches(order.to(self.device), batch_size):
            yield self.select(chosen)

    def select(self, chosen: Tensor) -> Any:
        """Some rows, as a batch."""
        return tree_map(lambda x: x.index_select(0, chosen), self.tensors)

    def subset(self, chosen: Tensor) -> "Resident":
        """A source of some of the rows."""
        return Resident(self.select(chosen.to(self.device)), self.device)


class Streamed:
    """A map-style dataset read anew in each epoch, because it is large or its transforms are random."""

    def __init__(self, dataset: "Dataset[Any]", device: torch.device) -> None:
        self.dataset = dataset
        self.device = device
        self.rows: int = len(dataset)  # type: ignore[arg-type]

    def steps(self, batch_size: int) -> int:
        """How many batches an epoch has, the ragged last one included."""
        return -(-self.rows // batch_size)

    def epoch(self, batch_size: int, order: Tensor | None, stream: Stream) -> Iterator[Any]:
        """Batches of items in the given order, transforms under a keyed generator."""
        assert order is not None
        batches = [chosen.tolist() for chosen in _in_batches(order, batch_size)]
        loader: DataLoader[Any] = DataLoader(self.dataset, batch_sampler=batches)
        return _keyed(loader, stream, self.device)

    def in_order(self) -> Iterator[Any]:
        """All items once; random transforms draw the same in every pass."""
        loader: DataLoader[Any] = DataLoader(self.dataset, batch_size=_READ_BATCH)
        return _keyed(loader, Stream(0, "evaluation"), self.device)

    def subset(self, chosen: Tensor) -> "Streamed":
        """A source of some of the items."""
        return Streamed(Subset(self.dataset, chosen.tolist()), self.device)


class Loader:
    """The user's DataLoader: an opaque source whose batch size, order and workers stand."""

    def __init__(self, loader: "DataLoader[Any]", device: torch.device) -> None:
        self.loader = loader
        self.device = device
        self.rows = None
        self._steps: int | None = None

    def steps(self, batch_size: int) -> int:
        """How many batches an epoch has; counted once where the loader cannot tell."""
        if self._steps is None:
            try:
                self._steps = len(self.loader)
            except TypeError:
                self._steps = sum(1 for _ in self.in_order())
        return self._steps

    def epoch(self, batch_size: int, order: Tensor | None, stream: Stream) -> Iterator[Any]:
        """The loader's own batches, its generators keyed."""
        return _keyed(self.loader, stream, self.device)

    def in_order(self) -> Iterator[Any]:
        """One pass, the same every time."""
        return _keyed(self.loader, Stream(0, "evaluation"), self.device)


Source = Resident | Streamed | Loader
"""Data that can be iterated for one epoch of training."""


def permutation(rows: int, seed: int, purpose: str, index: int = 0, epoch: int = 0) -> Tensor:
    """A keyed order of rows."""
    return torch.from_numpy(numpy_stream(seed, purpose, index, epoch).permutation(rows))


def _in_batches(order: Tensor, size: int) -> Sequence[Tensor]:
    return torch.split(order, size)


def _keyed(loader: "DataLoader[Any]", stream: Stream, device: torch.device) -> Iterator[Any]:
    """Iterate under generators of the loader's own, whatever else draws from the global ones in between."""
    generators = {id(g): g for g in (loader.generator, getattr(loader.sampler, "generator", None)) if g is not None}
    for generator in generators.values():
        generator.manual_seed(key(*stream.words) & (2**63 - 1))
    state = None
    iterator: Iterator[Any] | None = None
    end = object()
    while True:
        with forked(device), _forked_others():
            if state is None or iterator is None:
                seed_global(*stream.words)
                random.seed(key(*stream.words))
                np.random.seed(key(*stream.words) & (2**32 - 1))
                iterator = iter(loader)
            else:
                _restore(state)
            batch = next(iterator, end)
            state = _state()
        if batch is end:
            return
        yield tree_map(lambda x: x.to(device) if isinstance(x, Tensor) else x, batch)


def _state() -> tuple[Any, Any, Any]:
    return torch.get_rng_state(), random.getstate(), np.random.get_state()


def _restore(state: tuple[Any, Any, Any]) -> None:
    torch.set_rng_state(state[0])
    random.setstate(state[1])
    np.random.set_state(state[2])


class _forked_others:
    def __enter__(self) -> None:
        self.kept = random.getstate(), np.random.get_state()

    def __exit__(self, *_: object) -> None:
        random.setstate(self.kept[0])
        np.random.set_state(self.kept[1])

"""Where batches come from: tensors held on the device, a dataset that is streamed, or the user's own DataLoader."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data import DataLoader, Dataset, Subset

from fallline.errors import InputError
from fallline.randomness import GlobalState, forked, global_state, key, numpy_stream, restore_global, seed_global

RESIDENT_BYTES = 2 * 1024**3
"""How much data is held in memory at once; what is larger is streamed."""
_READ_BATCH = 1024


class Stream:
    """A name for one epoch's randomness: (seed, purpose, index, step)."""

    def __init__(self, seed: int, purpose: str, index: int = 0, step: int = 0) -> None:
        self.words = (seed, purpose, index, step)


class Resident:
    """Tensors that stay on the device; a batch is a selection of rows."""

    def __init__(self, tensors: Any, device: torch.device, drop_last: bool = False) -> None:
        self.tensors = tree_map(lambda x: x.to(device), tensors)
        self.device = device
        self.drop_last = drop_last
        self.rows: int = len(tree_leaves(self.tensors)[0])

    def steps(self, batch_size: int) -> int:
        """How many batches an epoch has, the ragged last one included unless it is dropped."""
        return _steps(self.rows, batch_size, self.drop_last)

    def epoch(self, batch_size: int, order: Tensor | None, stream: Stream) -> Iterator[Any]:
        """Batches of rows in the given order."""
        assert order is not None
        for chosen in _in_batches(order.to(self.device), batch_size, self.drop_last):
            yield self.select(chosen)

    def select(self, chosen: Tensor) -> Any:
        """Some rows, as a batch."""
        return tree_map(lambda x: x.index_select(0, chosen), self.tensors)

    def subset(self, chosen: Tensor) -> "Resident":
        """A source of some of the rows."""
        return Resident(self.select(chosen.to(self.device)), self.device, self.drop_last)


class Streamed:
    """A map-style dataset read anew in each epoch, because it is large or its transforms are random."""

    def __init__(self, dataset: "Dataset[Any]", device: torch.device, drop_last: bool = False) -> None:
        self.dataset = dataset
        self.device = device
        self.drop_last = drop_last
        self.rows: int = len(dataset)  # type: ignore[arg-type]

    def steps(self, batch_size: int) -> int:
        """How many batches an epoch has, the ragged last one included unless it is dropped."""
        return _steps(self.rows, batch_size, self.drop_last)

    def epoch(self, batch_size: int, order: Tensor | None, stream: Stream) -> Iterator[Any]:
        """Batches of items in the given order, transforms under a keyed generator."""
        assert order is not None
        batches = [chosen.tolist() for chosen in _in_batches(order, batch_size, self.drop_last)]
        loader: DataLoader[Any] = DataLoader(self.dataset, batch_sampler=batches)
        return _keyed(loader, stream, self.device)

    def in_order(self) -> Iterator[Any]:
        """All items once; random transforms draw the same in every pass."""
        loader: DataLoader[Any] = DataLoader(self.dataset, batch_size=_READ_BATCH)
        return _keyed(loader, Stream(0, "evaluation"), self.device)

    def subset(self, chosen: Tensor) -> "Streamed":
        """A source of some of the items."""
        return Streamed(Subset(self.dataset, chosen.tolist()), self.device, self.drop_last)


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


def _steps(rows: int, size: int, drop_last: bool) -> int:
    return rows // size if drop_last else -(-rows // size)


def _in_batches(order: Tensor, size: int, drop_last: bool) -> Sequence[Tensor]:
    return torch.split(order[: len(order) // size * size] if drop_last else order, size)


def _keyed(loader: "DataLoader[Any]", stream: Stream, device: torch.device) -> Iterator[Any]:
    """One pass under generators of its own, whatever else draws from the global ones in between.

    The pass runs on a copy of the loader, whose sampler begins as the user's did and whose generators are keyed,
    so that a pass does not depend on those before it.
    """
    loader = _fresh(loader, stream)
    state: GlobalState | None = None
    iterator: Iterator[Any] | None = None
    end = object()
    while True:
        with forked(device):
            if state is None or iterator is None:
                seed_global(*stream.words)
                iterator = iter(loader)
            else:
                restore_global(state)
            batch = next(iterator, end)
            state = global_state()
        if batch is end:
            return
        yield tree_map(lambda x: x.to(device) if isinstance(x, Tensor) else x, batch)


def _fresh(loader: "DataLoader[Any]", stream: Stream) -> "DataLoader[Any]":
    keyed = {
        id(part.generator): torch.Generator(part.generator.device).manual_seed(key(*stream.words) % 2**63)
        for part in _parts(loader)
        if isinstance(getattr(part, "generator", None), torch.Generator)
    }
    copied = copy.copy(loader)
    try:
        own = copy.deepcopy(
            (loader.sampler, loader.batch_sampler, loader.generator), {id(loader.dataset): loader.dataset, **keyed}
        )
    except Exception as error:
        raise InputError(
            f"The sampler of a DataLoader must be copyable, so that every epoch can begin alike: {error}"
        ) from error
    # DataLoader refuses to set these after its construction.
    vars(copied).update(zip(("sampler", "batch_sampler", "generator"), own, strict=True), _iterator=None)
    for part in _parts(copied):
        if callable(set_epoch := getattr(part, "set_epoch", None)):
            set_epoch(stream.words[-1])
    return copied


def _parts(loader: "DataLoader[Any]") -> list[Any]:
    inner = getattr(loader.batch_sampler, "sampler", None)
    return [part for part in (loader, loader.sampler, loader.batch_sampler, inner) if part is not None]

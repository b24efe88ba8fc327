"""From what the user hands in (tensors, arrays, datasets, loaders) to a source of batches."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from fallline.errors import InputError, describe_failure
from fallline.phrases import counted
from fallline.problems.objective import describe
from fallline.problems.sources import RESIDENT_BYTES, Loader, Resident, Source, Streamed
from fallline.randomness import forked, seed_global

_PROBES = 8


def source(data: Any, where: str, device: torch.device, drop_last: bool = False) -> Source:
    """A source for one split; `where` names it in messages. With `drop_last` its epochs have no ragged last batch.

    Raises InputError for data that cannot be used.
    """
    if isinstance(data, DataLoader):
        if drop_last:
            raise InputError(f"{where}: a DataLoader drops its last batch by itself: DataLoader(..., drop_last=True).")
        return Loader(data, device)
    if type(data) is TensorDataset:
        return Resident(_checked(tuple(data.tensors), where), device, drop_last)
    if isinstance(data, IterableDataset):
        raise InputError(f"{where}: an IterableDataset has no rows to choose from; hand it over in a DataLoader.")
    if isinstance(data, Tensor | np.ndarray | list | tuple | dict):
        return Resident(_checked(_tensors(data, where), where), device, drop_last)
    if _is_table(data):
        raise InputError(
            f"{where}: got a {type(data).__name__} alone. Give inputs and target as arrays: "
            "(table[inputs].to_numpy(dtype=float), table[target].to_numpy(dtype=float)), or dtype=int for class labels."
        )
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return _dataset(data, where, device, drop_last)
    raise InputError(
        f"{where}: expected tensors, NumPy arrays, a map-style Dataset or a DataLoader; got {type(data).__name__}."
    )


def _is_table(x: Any) -> bool:
    """Whether it is a DataFrame or Series. They are not taken: which columns are what, and as numbers of which type,
    is the user's to say.
    """
    return hasattr(x, "to_numpy") and not isinstance(x, Dataset)


def _tensors(data: Any, where: str) -> Any:
    leaves, structure = tree_flatten(data)
    return tree_unflatten([_tensor(leaf, where) for leaf in leaves], structure)


def _tensor(x: Any, where: str) -> Tensor:
    if isinstance(x, Tensor):
        return x.detach()
    if _is_table(x):
        raise InputError(
            f"{where}: expected tensors or NumPy arrays; got {type(x).__name__}. Write .to_numpy(dtype=float), or "
            ".to_numpy(dtype=int) for class labels."
        )
    if not isinstance(x, np.ndarray):
        raise InputError(f"{where}: expected tensors or NumPy arrays; got {type(x).__name__}.")
    if x.dtype.kind not in "fiub":
        raise InputError(
            f"{where}: an array of {x.dtype} cannot be trained on; convert it to numbers: .to_numpy(dtype=float) of a "
            "pandas table or .astype(float) of an array. Text is numbered first: "
            "pandas.get_dummies(table, dtype=float), or numpy.unique(labels, return_inverse=True)[1]."
        )
    # A pandas table lends arrays that cannot be written, of which torch warns.
    x = np.require(x, requirements=["C", "W", "E"])
    if x.dtype.kind == "f":
        return torch.from_numpy(x).to(torch.get_default_dtype())
    return torch.from_numpy(x.astype(np.int64) if x.dtype.kind in "iu" else x)


def _checked(tensors: Any, where: str) -> Any:
    leaves = tree_leaves(tensors)
    if not leaves or any(leaf.dim() == 0 for leaf in leaves):
        raise InputError(f"{where}: every tensor needs rows along its first axis; got {describe(tensors)}.")
    if len({len(leaf) for leaf in leaves}) > 1:
        raise InputError(f"{where}: inputs and targets need the same number of rows; got {describe(tensors)}.")
    if len(leaves[0]) == 0:
        raise InputError(f"{where}: there are no rows.")
    for number, leaf in enumerate(leaves):
        if leaf.is_floating_point() and not bool(torch.isfinite(leaf).all()):
            bad = ~torch.isfinite(leaf.reshape(len(leaf), -1)).all(dim=1)
            row = int(bad.nonzero()[0])
            raise InputError(
                f"{where}: tensor {number} of {describe(tensors)} holds NaN or infinity in "
                f"{counted(int(bad.sum()), 'row')}, the first in row {row}. Remove or fill them."
            )
    return tensors


def _dataset(dataset: "Dataset[Any]", where: str, device: torch.device, drop_last: bool) -> Source:
    size = len(dataset)  # type: ignore[arg-type]
    if size == 0:
        raise InputError(f"{where}: the dataset is empty.")
    probes = sorted({round(i * (size - 1) / (_PROBES - 1)) for i in range(_PROBES)})
    first = _collated(dataset, probes, where, draw=0)
    row_bytes = sum(leaf.nbytes for leaf in tree_leaves(first)) / len(probes)
    random_transform = any(not _equal(first, _collated(dataset, probes, where, draw)) for draw in (1, 2))
    if random_transform or row_bytes * size > RESIDENT_BYTES:
        return Streamed(dataset, device, drop_last)
    return Resident(_checked(_collated(dataset, range(size), where, draw=0), where), device, drop_last)


def _collated(dataset: "Dataset[Any]", chosen: Any, where: str, draw: int) -> Any:
    with forked():
        seed_global(draw, "probe")
        try:
            items = [dataset[i] for i in chosen]
        except Exception as error:
            raise InputError(f"{where}: the dataset failed: {describe_failure(error)}") from error
        try:
            batch = default_collate(items)
        except (TypeError, RuntimeError) as error:
            raise InputError(
                f"{where}: the dataset's items cannot be collated into batches ({error}). "
                "Return tensors of equal shapes, or hand over a DataLoader with a collate_fn."
            ) from error
    if not all(isinstance(leaf, Tensor) for leaf in tree_leaves(batch)):
        raise InputError(f"{where}: the dataset's items must be made of numbers and tensors; got {describe(batch)}.")
    return batch


def _equal(a: Any, b: Any) -> bool:
    return all(torch.equal(x, y) for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True))

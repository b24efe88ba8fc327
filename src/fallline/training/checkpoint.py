"""Checkpoints: trees of plain values and tensors as one safetensors file, exact to the bit, read without running code.

Tensors are safetensors entries, everything else is JSON in the file's metadata, and a digest of both tells damage.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.files import write_whole
from fallline.training.tree import Tree, flatten, restore

_ENTRY = "fallline"


def write_checkpoint(path: Path, tree: Any, about: Mapping[str, str] | None = None) -> None:
    """Write a tree of dicts, lists, tuples, tensors, numbers, text and None, whole or not at all.

    `about` is put beside it, as metadata for other readers. A dict of tensors becomes a file that
    `safetensors.torch.load_file` reads as that dict. Raises InputError for what cannot be stored, MachineError where
    the file cannot be written.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name) / "last.safetensors"
    >>> write_checkpoint(path, {"step": 3, "betas": (0.9, float("inf")), "model": {"weight": torch.ones(2)}})
    >>> read_checkpoint(path)
    {'step': 3, 'betas': (0.9, inf), 'model': {'weight': tensor([1., 1.])}}
    >>> folder.cleanup()
    """
    flat = flatten(tree)
    entry = json.dumps({"tree": flat.structure, "digest": _digest(flat)}, allow_nan=False)
    write_whole(path, safetensors.torch.save(flat.tensors, metadata={_ENTRY: entry, **(about or {})}))


def read_checkpoint(path: Path) -> Any:
    """The tree that was written, its tensors with memory of their own. Raises InputError for a damaged file."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            entry = json.loads((file.metadata() or {})[_ENTRY])
            names = list(file.keys())
            flat = Tree(entry["tree"], {name: file.get_tensor(name).clone() for name in names})
            whole = entry["digest"] == _digest(flat)
    except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}. {_ADVICE}") from error
    if not whole:
        raise InputError(f"{path} is damaged: its content does not have the digest it was written with. {_ADVICE}")
    return restore(flat)


_ADVICE = "Delete its folder, or choose another store, to begin anew."


def _digest(flat: Tree) -> str:
    total = blake2b(json.dumps(flat.structure).encode(), digest_size=16)
    for name in sorted(flat.tensors):
        tensor = flat.tensors[name]
        total.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        total.update(_bytes(tensor))
    return total.hexdigest()


def _bytes(tensor: Tensor) -> Any:
    return tensor.reshape(-1).view(torch.uint8).numpy()

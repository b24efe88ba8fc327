"""`mnist`: the 70,000 handwritten digits of MNIST."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from fallline.errors import InputError, shown
from fallline.problems.files import DataFile
from fallline.problems.models import hidden_sizes, mlp
from fallline.problems.objective import accuracy
from fallline.problems.problem import Problem

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
SCALINGS = {"unit": (0.0, 1.0), "symmetric": (0.5, 0.5), "standard": (0.1307, 0.3081)}


def _file(name: str, digest: str) -> DataFile:
    return DataFile("mnist", name, digest, [f"{mirror}{name}.gz" for mirror in MIRRORS])


FILES = {
    "train images": _file(
        "train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train labels": _file(
        "train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "test images": _file("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "test labels": _file("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}


def mnist(
    hidden: str | int | Sequence[int] = "200", scaling: str = "unit", data_dir: str | Path | None = None
) -> Problem:
    """MNIST (LeCun, Cortes and Burges, 1998), 28x28 images flattened, 60,000 to train and 10,000 to test.

    A 784-200-10 network with ReLU by default; `hidden` gives other sizes ("500", "200-100"). `scaling` is "unit"
    ([0, 1]), "symmetric" ([-1, 1]) or "standard" (mean 0, deviation 1 of the training pixels). `data_dir` holds
    the four IDX files, packed or not; otherwise they are downloaded once.
    """
    if scaling not in SCALINGS:
        raise InputError(f"mnist: scaling must be one of {', '.join(SCALINGS)}; got {shown(scaling)}.")
    sizes = hidden_sizes(hidden)
    parts = {name: parse_idx(file.read(data_dir), file.name) for name, file in FILES.items()}
    shift, scale = SCALINGS[scaling]

    def images(part: str) -> Tensor:
        return (parts[part].flatten(1).float() / 255 - shift) / scale

    def model(hidden: Any = sizes, dropout: float = 0.0, batch_norm: bool = False) -> nn.Module:
        return mlp((784, *hidden_sizes(hidden), 10), dropout=dropout, batch_norm=batch_norm)

    return Problem(
        model=model,
        loss=cross_entropy,
        train=(images("train images"), parts["train labels"].long()),
        test=(images("test images"), parts["test labels"].long()),
        metrics={"accuracy": accuracy},
        factors={"hidden": "-".join(map(str, sizes)), "dropout": 0.0, "batch_norm": False},
        name="mnist",
        target="validation_accuracy>=0.97",
    )


def parse_idx(content: bytes, name: str) -> Tensor:
    """The tensor in an IDX file of unsigned bytes: a magic number, big-endian sizes, then the values."""
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise InputError(f"{name} is no IDX file of unsigned bytes.")
    axes = content[3]
    sizes = struct.unpack_from(f">{axes}I", content, 4)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * axes)
    if values.size != np.prod(sizes, dtype=np.int64):
        raise InputError(f"{name} should hold {'x'.join(map(str, sizes))} values; it holds {values.size}.")
    return torch.from_numpy(values.reshape(sizes).copy())

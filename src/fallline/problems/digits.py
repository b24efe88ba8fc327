"""`digits`: 1,797 real handwritten digits, shipped with the package."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from fallline.problems.models import hidden_sizes, mlp
from fallline.problems.objective import accuracy
from fallline.problems.problem import Problem
from fallline.problems.sources import permutation

TEST_ROWS = 360


def digits(hidden: str | int | Sequence[int] = "64") -> Problem:
    """8x8 images of handwritten digits (Alpaydin and Kaynak, 1998, doi:10.24432/C50P49), inputs in [0, 1].

    A fully connected 64-64-10 network by default; `hidden` gives other hidden sizes. 360 images, always the same,
    are the test data; the other 1,437 train and validate.

    >>> digits(hidden="32-16").make_model()[2].in_features
    32
    """
    with (files("fallline.problems") / "digits_data" / "digits.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        images = torch.from_numpy(arrays["images"].astype(np.float32) / 16)
        labels = torch.from_numpy(arrays["labels"].astype(np.int64))
    order = permutation(len(images), 0, "digits test")
    train, test = order[TEST_ROWS:], order[:TEST_ROWS]
    sizes = hidden_sizes(hidden)

    def model(hidden: Any = sizes, dropout: float = 0.0, batch_norm: bool = False) -> nn.Module:
        return mlp((64, *hidden_sizes(hidden), 10), dropout=dropout, batch_norm=batch_norm)

    return Problem(
        model=model,
        loss=cross_entropy,
        train=(images[train], labels[train]),
        test=(images[test], labels[test]),
        metrics={"accuracy": accuracy},
        factors={"hidden": "-".join(map(str, sizes)), "dropout": 0.0, "batch_norm": False},
        name="digits",
        target="validation_accuracy>=0.95",
    )

"""One step of training under a watch, and what the diagnostics say of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import fallline as fl
from fallline.gallery.entry import Check, holds

if TYPE_CHECKING:
    from torch import nn

Columns = dict[str, list[float]]


def watched(model: "nn.Module", problem: "fl.Problem", rows: int, lr: float) -> Columns:
    """What a watch records of one step on some training rows."""
    import torch

    images, labels = (part[:rows] for part in problem.train)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    with fl.diagnostics.Watch(model, optimizer, every=1) as watch:
        optimizer.zero_grad()
        problem.loss(model(images), labels).backward()
        optimizer.step()
    return watch.columns()


def names(columns: Columns, *words: str) -> Check:
    """That one sentence of the findings begins with the first of the words and holds the others."""
    told = fl.diagnostics.findings(columns)
    so = [line for line in told if line.startswith(words[0]) and all(word in line for word in words)]
    return holds("the diagnostic's sentence", f"one that names {', '.join(words)}", " ".join(told), len(so) == 1)


def silent(where: str, runs: Sequence[Columns]) -> Check:
    """That there are no findings."""
    told = [line for columns in runs for line in fl.diagnostics.findings(columns)]
    return holds(f"{where}: the diagnostic's sentences", "none", " ".join(told) or "none", not told)

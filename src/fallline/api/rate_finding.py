"""Looking for a learning rate."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fallline.arguments import check, place, whole
from fallline.errors import WrongArgument, shown
from fallline.problems import Problem
from fallline.report import figures
from fallline.study import rates
from fallline.study.named import named
from fallline.training.rate_search import FoundRate, check_search, search_rate


@dataclass(frozen=True)
class RateSearch(FoundRate):
    """What `lr_find` found, with a way to see it."""

    def plot(self, path: str | Path) -> Path:
        """Draw the ramp and the fan as PNG, PDF or SVG, by the path's ending."""
        return figures.save_rates(self, path)


def lr_find(
    problem: str | Problem | nn.Module,
    optimizer: Any = "adam",
    *,
    loss: Callable[..., Any] | None = None,
    data: Any = None,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    batch_size: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    threads: int | None = None,
    data_dir: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> RateSearch:
    """Look for a learning rate from `low` to `high`: a ramp, then trainings of `steps` updates at several rates.

    `problem` is a name or a Problem, and `optimizer` a name (`momentum:momentum=0.95`), a rule or a class, whose rate
    is left open. Or they are a model and a live torch optimizer, with `loss` and `data` as a Problem takes them
    (tensors, a Dataset or a DataLoader): model, optimizer and generators are put back bit for bit, also after an error
    or Ctrl-C. `say` is told in words how the search gets on.

    Suggests nothing where nothing can be said, with the reason. Raises InputError for bad input.

    >>> found = lr_find("linear", "sgd", steps=50)
    >>> 0.01 < found.suggestion < 1
    True
    """
    check_search(low, high, steps)
    whole("seed", seed, 0)
    check("say", say, Callable | None, "a function of one text")
    data_dir = place("data_dir", data_dir)
    if isinstance(problem, nn.Module):
        for name, asked in {"device": device != "cpu", "data_dir": data_dir is not None}.items():
            if asked:
                raise WrongArgument((name, " goes with a problem; a model is searched where it is, on its own data"))
        training = rates.of_model(problem, optimizer, loss, data, batch_size, seed)
    else:
        for name, value in {"loss": loss, "data": data}.items():
            if value is not None:
                raise WrongArgument((name, f" goes with a model and its optimizer; {shown(problem)} brings its own"))
        training = rates.of_problem(named(problem, data_dir), optimizer, low, batch_size, seed, device)
    before = torch.get_num_threads()
    own_loop = isinstance(problem, nn.Module) and threads is None
    try:
        torch.set_num_threads(before if own_loop else rates.threads_for(training, steps, threads))
        return RateSearch(**vars(search_rate(training, low, high, steps, say)))
    finally:
        torch.set_num_threads(before)

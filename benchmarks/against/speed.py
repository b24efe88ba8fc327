"""How long a step takes on both sides, in turn in one process; prints JSON. Run by benchmarks/pytorch_optimizer.py."""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from pairs import PAIRS, Pair, Trial
from torch import Tensor

import fallline as fl

ROUNDS = {"mlp": 101, "large": 7}
FEW = {"mlp": 9, "large": 5}
"""Rounds of rules that multiply matrices."""
WARM = 3
"""Steps before the clock runs: the first one compiles, and makes states and bases."""


def shapes(model: str, pair: Pair) -> list[tuple[int, ...]]:
    if model == "large":
        return [(1000, 1000)] * pair.large
    return [(200, 784), (200,), (10, 200), (10,)]


class Side:
    """One optimizer with parameters of its own, which are given the same gradients before every step."""

    def __init__(self, make: Callable[[list[Tensor]], Any], shapes: list[tuple[int, ...]], closure: bool) -> None:
        generator = torch.Generator().manual_seed(0)
        self.params = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
        self.gradients = [torch.randn(shape, generator=generator) for shape in shapes]
        self.closure = closure
        self.made = make(self.params)
        self.milliseconds: list[float] = []

    def step(self) -> None:
        self.evaluate()
        if not self.closure:
            # Some overwrite their gradients.
            for p in self.params:
                p.grad = p.grad.clone()
        began = time.perf_counter()
        self.made.step(*[self.evaluate] * self.closure)
        self.milliseconds.append(1e3 * (time.perf_counter() - began))

    def evaluate(self) -> None:
        for p, g in zip(self.params, self.gradients, strict=True):
            p.grad = g


def measured(pair: Pair, model: str) -> dict[str, Any]:
    rounds = ROUNDS[model] if pair.large == 20 else FEW[model]
    trial: Trial = pair.timed or pair.defaults

    def ours(executor: str) -> Callable[[list[Tensor]], Any]:
        return lambda params: fl.optim.Optimizer(params, trial.ours, executor=executor)

    makers = {"theirs": trial.theirs, "auto": ours("auto"), "compiled": ours("compiled")}
    sides = {name: Side(make, shapes(model, pair), pair.closure) for name, make in makers.items()}
    for i in range(WARM + rounds):
        for side in list(sides.values())[i % 3 :] + list(sides.values())[: i % 3]:
            side.step()
    chosen = sides["auto"].made._chosen
    return {
        "tensors": len(shapes(model, pair)),
        "rounds": rounds,
        "auto_is": chosen if isinstance(chosen, str) else "torch",
        "milliseconds": {name: median(side.milliseconds[WARM:]) for name, side in sides.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=tuple(ROUNDS))
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    threads = (os.cpu_count() or 1) if options.model == "large" else 1
    torch.set_num_threads(threads)
    found: dict[str, Any] = {}
    for pair in PAIRS:
        if pair.name in options.names:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always", UserWarning)
                found[pair.name] = measured(pair, options.model)
            # What is said of a compilation belongs to the figures.
            if said := sorted({str(one.message) for one in warned if "compile" in str(one.message)}):
                found[pair.name]["warnings"] = said
    print(json.dumps({"threads": threads, "rules": found}))


if __name__ == "__main__":
    main()

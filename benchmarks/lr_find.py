"""Whether the learning-rate finder is right: its suggestion against the best rate of a full sweep.

For every problem and optimizer: `fl.lr_find` as it is by default, and `fl.compare` over 13 rates from 1e-5 to 10, whose
best is that of the least median validation loss. The suggestion should lie within a factor of 10 of it, or be declined.
Prints every pair and writes them to benchmarks/results/lr_find.json, where problems that were not run again stay.
`airfoil` and `mnist` need their data (FALLLINE_DATA).
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

import fallline as fl

RESULTS = Path(__file__).parent / "results" / "lr_find.json"
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adadelta", "adam")
RATES = fl.log(1e-5, 10, 13)
WITHIN = 10.0


def scaled() -> fl.Problem:
    """A linear regression whose inputs have deviations of 1, 3, 10 and 30."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(1000, 4, generator=generator)
    noise = 0.1 * torch.randn(1000, 1, generator=generator)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]]) + noise
    inputs = x * torch.tensor([1.0, 3.0, 10.0, 30.0])
    return fl.Problem(model=lambda: nn.Linear(4, 1), loss=mse_loss, train=(inputs, y), name="scaled")


def convolutions() -> fl.Problem:
    """A small convolutional network on the digits."""

    def network() -> nn.Module:
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, 10),
        )

    train = fl.problems.load("digits").train
    return fl.Problem(model=network, loss=cross_entropy, train=train, name="convolutions")


PROBLEMS: dict[str, tuple[Any, int, int]] = {
    "digits": ("digits", 10, 3),
    "cubic": ("cubic", 10, 3),
    "linear": ("linear", 10, 3),
    "airfoil": ("airfoil", 10, 3),
    "scaled": (scaled, 10, 3),
    "convolutions": (convolutions, 10, 3),
    "mnist": ("mnist", 3, 1),
}
"""Problem -> how it is made, epochs and seeds of the sweep."""


def pair(name: str, optimizer: str) -> dict[str, Any]:
    """The suggestion and the best of the sweep, with the seconds of both."""
    made, epochs, seeds = PROBLEMS[name]
    problem = made if isinstance(made, str) else made()
    began = time.perf_counter()
    found = fl.lr_find(problem, optimizer, threads=1)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        swept = fl.compare(
            problem,
            [optimizer],
            protocol="sweep",
            lrs=RATES,
            epochs=epochs,
            seeds=seeds,
            store=folder,
            threads=1,
            progress=False,
        )
        best = swept.best().hyperparameters["lr"]
    ratio = None if found.suggestion is None else max(found.suggestion / best, best / found.suggestion)
    return {
        "problem": name,
        "optimizer": optimizer,
        "suggestion": found.suggestion,
        "reason": found.reason,
        "best_of_sweep": best,
        "ratio": ratio,
        "trials": len(found.fan),
        "seconds": seconds,
        "seconds_of_sweep": time.perf_counter() - began,
        "epochs": epochs,
        "seeds": seeds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*", default=list(PROBLEMS), choices=[*PROBLEMS, []])
    asked = parser.parse_args().problems
    kept = json.loads(RESULTS.read_text())["pairs"] if RESULTS.is_file() else []
    pairs = {(old["problem"], old["optimizer"]): old for old in kept if old["problem"] not in asked}
    for name in asked:
        for optimizer in OPTIMIZERS:
            row = pairs[name, optimizer] = pair(name, optimizer)
            told = "declined" if row["ratio"] is None else f"{row['suggestion']:g}, a factor of {row['ratio']:.1f}"
            print(f"{name:13}{optimizer:9} best {row['best_of_sweep']:<9g} suggested {told}", flush=True)
        write(list(pairs.values()))
    rows = list(pairs.values())
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    for factor in (WITHIN, 2.0):
        print(f"{sum(ratio <= factor for ratio in ratios)} of {len(rows)} within a factor of {factor:g}")
    print(f"{len(rows) - len(ratios)} declined")
    print(f"greatest factor {max(ratios):.1f}")


def write(pairs: list[dict[str, Any]]) -> None:
    document = {
        "what": "fl.lr_find by default against the best of 13 rates of fl.compare, by median validation loss",
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__},
        "pairs": pairs,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

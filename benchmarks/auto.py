"""Whether `auto` finds the fastest runner: `python benchmarks/auto.py` (FALLLINE_DATA names MNIST's files).

Trains the same studies, 16 members each, by every runner and by `auto`, in fresh processes in turn: a small convolution
network and a transformer encoder that reads an image row by row, both on MNIST, the network of digits, and the 1-20-1
network of cubic. Each process has the time from the call of `compare` to its results. The first `auto` of a case finds
no plan and measures, the later ones go by the plan that it left; compiled code is kept from process to process.

Prints for every case the medians and how long `auto` takes as a multiple of the fastest runner; writes them to
benchmarks/results/auto.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import fallline as fl
from fallline.study.environment import cpu

RESULTS = Path(__file__).parent / "results" / "auto.json"
RUNNERS = ("loop", "processes", "population", "compiled")


class RowReader(nn.Module):
    """A transformer encoder that reads the 28 rows of an image as words of 28 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(28, 32)
        self.places = nn.Parameter(torch.zeros(28, 32))
        self.encoder = nn.TransformerEncoderLayer(32, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        words = self.embedding(x.view(-1, 28, 28)) + self.places
        answer: Tensor = self.head(self.encoder(words).mean(dim=1))
        return answer


def convolutions() -> nn.Module:
    """8 and 16 kernels of 3x3, each layer halved in both directions, and one linear layer."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Linear(16 * 7 * 7, 10),
    )


def images(model: Callable[[], nn.Module]) -> fl.Problem:
    """A model on the first images of MNIST; few, for a study evaluates on all of them 21 times."""
    whole = fl.problems.load("mnist")
    train, test = (tuple(x[:rows] for x in part) for rows, part in ((1000, whole.train), (200, whole.test)))
    return fl.Problem(model, cross_entropy, train, test=test, metrics=whole.metrics, name="images")


CASES: Mapping[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "convolution": (lambda: images(convolutions), {"batch_sizes": [64], "epochs": 4}),
    "transformer": (lambda: images(RowReader), {"batch_sizes": [64], "epochs": 4}),
    "digits": (lambda: "digits", {"batch_sizes": [64], "epochs": 20}),
    "cubic": (lambda: "cubic", {"batch_sizes": [20], "steps": 1500}),
}


def train(case: str, runner: str) -> float:
    """The seconds of a study of 4 rates and 4 seeds."""
    make, budget = CASES[case]
    problem = make()
    with tempfile.TemporaryDirectory() as store:
        began = time.perf_counter()
        fl.compare(
            problem,
            ["adam"],
            protocol="sweep",
            lrs=fl.log(1e-4, 1e-2, 4),
            seeds=4,
            threads=int(os.environ["OMP_NUM_THREADS"]),
            runner=runner,
            progress=False,
            store=store,
            **budget,
        )
        return time.perf_counter() - began


def fresh(case: str, runner: str, threads: str, caches: str) -> float:
    """The same in a fresh process, which has its plans and its compiled code in a folder."""
    line = [sys.executable, __file__, "--case", case, "--here", runner]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": threads,
        "XDG_CACHE_HOME": f"{caches}/plans",
        "TORCHINDUCTOR_CACHE_DIR": f"{caches}/compiled",
    }
    found = subprocess.run(line, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return float(json.loads(found.stdout))


def compared(case: str, runs: int, threads: str) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {runner: [] for runner in (*RUNNERS, "auto")}
    with tempfile.TemporaryDirectory() as caches:
        for number in range(runs):
            for runner, found in seconds.items():
                found.append(fresh(case, runner, threads, caches))
                print(f"{case}, run {number + 1}, {runner}: {found[-1]:.2f} s", file=sys.stderr, flush=True)
    medians = {runner: median(found) for runner, found in seconds.items()}
    best = min(RUNNERS, key=medians.__getitem__)
    return {
        "seconds": medians,
        "all": seconds,
        "best": best,
        "auto over best": medians["auto"] / medians[best],
        "first auto over best": seconds["auto"][0] / medians[best],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, help="one alone; nothing is written then")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", default=str(os.cpu_count()))
    parser.add_argument("--here", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(train(options.case, options.here)))
        return
    cases = [options.case] if options.case else list(CASES)
    found = {case: compared(case, options.runs, options.threads) for case in cases}
    for case, of in found.items():
        told = ", ".join(f"{runner} {seconds:.2f}" for runner, seconds in of["seconds"].items())
        print(f"{case}: {told} s; auto takes {of['auto over best']:.2f} times {of['best']}")
    if not options.case:
        machine = {"cpu": cpu(), "cores": os.cpu_count(), "threads": options.threads, "torch": torch.__version__}
        document = {"what": "auto against every runner", **machine, "python": platform.python_version(), "cases": found}
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

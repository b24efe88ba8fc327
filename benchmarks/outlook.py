"""What a population is reckoned to take, against what it takes: `python benchmarks/outlook.py` (FALLLINE_DATA: MNIST).

For networks of many kinds, 16 members each (4 rates of Adam, 4 seeds), and for six optimizers in one program, prints
the seconds of a step and of an evaluation as the cost model has them and as a trial measures them, their ratio, what
looking and trying take, and the operations of which the model foresees nothing. Writes benchmarks/results/outlook.json.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import fallline as fl
from auto import RowReader, convolutions, images
from fallline import cohorts
from fallline.problems import prepare
from fallline.rules import SGD, Adadelta, Adagrad, Adam, Momentum, RMSprop, Rule
from fallline.study.environment import cpu
from fallline.study.outlook import Outlook
from fallline.training import Member

RESULTS = Path(__file__).parent / "results" / "outlook.json"


class Recurrent(nn.Module):
    """An LSTM that reads the 28 rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = nn.LSTM(28, 16, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.reader(x.view(-1, 28, 28))[0][:, -1])
        return answer


def perceptron() -> nn.Module:
    """784-200-10."""
    return nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10))


def normalised() -> nn.Module:
    """784-32-10 with batch normalisation."""
    return nn.Sequential(nn.Linear(784, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10))


def one_convolution() -> nn.Module:
    """4 kernels of 5x5."""
    layers = nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 4, 5), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(144, 10))


SIX = (SGD(), Momentum(), Adagrad(), RMSprop(), Adadelta(), Adam())
CASES: Mapping[str, tuple[Callable[[], Any], int]] = {
    "1-20-1": (lambda: fl.problems.load("cubic"), 20),
    "64-64-10": (lambda: fl.problems.load("digits"), 64),
    "784-200-10": (lambda: images(perceptron), 64),
    "784-200-10, batch 1": (lambda: images(perceptron), 1),
    "784-32-10, BatchNorm": (lambda: images(normalised), 64),
    "one convolution": (lambda: images(one_convolution), 32),
    "one convolution, batch 1": (lambda: images(one_convolution), 1),
    "two convolutions": (lambda: images(convolutions), 64),
    "transformer": (lambda: images(RowReader), 64),
    "transformer, batch 4": (lambda: images(RowReader), 4),
    "LSTM": (lambda: images(Recurrent), 32),
}


def reckoned_and_measured(make: Callable[[], Any], batch_size: int, rules: Sequence[Rule]) -> dict[str, Any]:
    """Both, of 16 members of each rule."""
    problem = prepare(make(), 0, torch.device("cpu"))
    settings = [{"lr": rate} for rate in fl.log(1e-4, 1e-2, 4)]
    members = [
        Member(problem.problem.name, type(rule).__name__, rule, setting, batch_size=batch_size, seed=seed)
        for rule in rules
        for setting in settings
        for seed in range(4)
    ]
    # What torch imports and prepares once is in neither.
    Outlook.of(members[:1], problem, 0)
    began = time.perf_counter()
    outlook = Outlook.of(members, problem, 0)
    looked = time.perf_counter()
    trial = cohorts.tried(members, problem, 0)
    return {
        "step": {"reckoned": outlook.step, "measured": trial.seconds},
        "evaluation": {"reckoned": outlook.evaluating, "measured": trial.evaluating},
        "preparing": {"reckoned": outlook.preparing, "measured": trial.preparing},
        "bytes": {"reckoned": outlook.bytes, "measured": trial.bytes},
        "trying": {"reckoned": outlook.trying, "measured": time.perf_counter() - looked},
        "looking": looked - began,
        "unforeseen": sorted(outlook.unforeseen),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="the first two networks; nothing is written")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cases = list(CASES.items())[: 2 if options.quick else None]
    found = {name: reckoned_and_measured(*case, [Adam()]) for name, case in cases}
    found["64-64-10, six optimizers"] = reckoned_and_measured(*CASES["64-64-10"], SIX)
    kinds = "".join(f"{kind + ' (ms): reckoned, measured, ratio':>48}" for kind in ("step", "evaluation"))
    print(f"{'':26}{kinds}{'looking (s)':>13}{'trying (s)':>12}  unforeseen")
    for name, of in found.items():
        cells = ""
        for kind in ("step", "evaluation"):
            reckoned, measured = 1e3 * of[kind]["reckoned"], 1e3 * of[kind]["measured"]
            cells += f"{reckoned:28.2f}{measured:12.2f}{reckoned / measured:8.2f}"
        trying = of["trying"]["measured"]
        print(f"{name:26}{cells}{of['looking']:13.2f}{trying:12.2f}  {', '.join(of['unforeseen'])}")
    if not options.quick:
        machine = {"cpu": cpu(), "cores": os.cpu_count(), "threads": options.threads, "torch": torch.__version__}
        document = {"what": "populations as reckoned and as measured", **machine, "networks": found}
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

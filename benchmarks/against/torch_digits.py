"""The whole digits study in torch's eager loop, with its evaluations; prints JSON. Run by benchmarks/study.py, which
times the process.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stopwatch import measured
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, relu
from torch_study import NAMES, optimizer

SPLITS = ("train", "validation", "test")


def outputs(params: list[Tensor], x: Tensor) -> Tensor:
    """A network of two layers with ReLU."""
    return linear(relu(linear(x, params[0], params[1])), params[2], params[3])


def evaluation(params: list[Tensor], data: dict[str, Tensor]) -> list[float]:
    """Loss and accuracy on every split."""
    found = []
    with torch.no_grad():
        for split in SPLITS:
            given, y = outputs(params, data[f"{split}-x"]), data[f"{split}-y"]
            found += [cross_entropy(given, y).item(), (given.argmax(-1) == y).float().mean().item()]
    return found


def train(
    contender: dict[str, Any], rate: float, start: list[Tensor], orders: Tensor, data: dict[str, Tensor], size: int
) -> list[list[float]]:
    """One training: its evaluations, before the first epoch and behind every one."""
    params = [p.clone().requires_grad_() for p in start]
    made = optimizer(contender["rule"], contender["settings"], rate, params)
    x, y = data["train-x"], data["train-y"]
    curve = [evaluation(params, data)]
    for order in orders:
        for rows in order.split(size):
            loss = cross_entropy(outputs(params, x[rows]), y[rows])
            made.zero_grad()
            loss.backward()
            made.step()
        curve.append(evaluation(params, data))
    return curve


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = {name: torch.from_numpy(of) for name, of in np.load(options.folder / "arrays.npz").items()}
    (program,) = json.loads((options.folder / "programs.json").read_text())
    starts = [[data[name][seed] for name in NAMES] for seed in range(program["seeds"])]

    def study() -> dict[str, float]:
        best = {}
        for contender in program["contenders"]:
            ends = [
                [
                    train(contender, rate, start, order, data, program["batch_size"])[-1][2]
                    for start, order in zip(starts, data["order"], strict=True)
                ]
                for rate in contender["rates"]
            ]
            ends = np.where(np.isnan(ends), np.inf, ends)
            best[contender["rule"].lower()] = float(np.median(ends, axis=1).min())
        return best

    best, took = measured(study)
    print(json.dumps({"seconds": took.seconds, "validation_losses": best}))


if __name__ == "__main__":
    main()

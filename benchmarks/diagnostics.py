"""What a Watch costs: `python benchmarks/diagnostics.py`.

Trains 784-200-10 with ReLU by torch.optim.SGD, batch 64, on random data of MNIST's shape, without a watch and with one
at every=100, 10 and 1. In each of several fresh processes the four sides take turns, round by round; a side's figure is
its median over the rounds, the printed ratio the median over the processes. Writes them to
benchmarks/results/diagnostics.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from fallline.study.environment import cpu

RESULTS = Path(__file__).parent / "results" / "diagnostics.json"
STEPS = 100
SIDES = {"none": None, "every=100": 100, "every=10": 10, "every=1": 1}


def compare(rounds: int, threads: int) -> dict[str, float]:
    """Microseconds per step of each side in this process."""
    import torch
    from torch import nn

    import fallline as fl

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    images, labels = torch.randn(64 * STEPS, 784), torch.randint(10, (64 * STEPS,))
    batches = list(zip(images.split(64), labels.split(64), strict=True))

    def train(every: int | None) -> float:
        model = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        watch = None if every is None else fl.diagnostics.Watch(model, optimizer, every=every)
        began = time.perf_counter()
        for x, y in batches:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds = time.perf_counter() - began
        if watch is not None:
            assert len(watch.columns()["step"]) == STEPS // (every or 1)
        return seconds / STEPS * 1e6

    for every in SIDES.values():
        train(every)
    times: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side, every in SIDES.items():
            times[side].append(train(every))
    return {side: median(found) for side, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(compare(options.rounds, options.threads)))
        return
    runs = []
    for number in range(options.processes):
        command = [sys.executable, __file__, "--one", f"--rounds={options.rounds}", f"--threads={options.threads}"]
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(json.loads(finished.stdout))
        print(f"process {number + 1}: " + ", ".join(f"{side} {us:.0f} us" for side, us in runs[-1].items()), flush=True)
    machine = {
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "threads": options.threads,
    }
    document = {
        "what": "microseconds per step, 784-200-10, SGD, batch 64, without and with a Watch",
        "machine": machine,
        "medians": {side: median(run[side] for run in runs) for side in SIDES},
        "ratios": {side: median(run[side] / run["none"] for run in runs) for side in SIDES if side != "none"},
        "runs": runs,
    }
    for side, ratio in document["ratios"].items():
        print(f"{side}: {ratio:.3f} times the step without a watch ({document['medians'][side]:.0f} us)")
    print(f"medians of {options.processes} processes; {machine}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

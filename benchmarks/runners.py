"""Whether every runner trains as the loop does: `python benchmarks/runners.py`.

Studies of four kinds of networks on digits (MLP, BatchNorm, dropout, a small convolution), in float64, with rates from
1e-3 to 10 of SGD, momentum and Adam, trained by the loop, by the loop from initial weights moved by one unit in the
last place, and by the other runners. Members whose curves the move changes by less than 1e-9 are stable, and every
number of their curves is compared; the others are chaotic and compared by how they ended. Prints a table and writes it
to benchmarks/results/runners.json. `--quick` takes three rates and one epoch and writes nothing.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import fallline as fl
from fallline.study import Record
from fallline.study.agreement import ALIKE, agreement, moved_by_one_ulp
from fallline.study.environment import cpu
from fallline.study.planning import RUNNERS

RESULTS = Path(__file__).parent / "results" / "runners.json"
KINDS = ("mlp", "batch_norm", "dropout", "convolution")
OPTIMIZERS = ("sgd", "momentum", "adam")


def layers(kind: str) -> list[nn.Module]:
    if kind == "convolution":
        small = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 10)]
        return [nn.Unflatten(1, (1, 8, 8)), *small]
    between = {"mlp": [], "batch_norm": [nn.BatchNorm1d(32)], "dropout": [nn.Dropout(0.3)]}[kind]
    return [nn.Linear(64, 32, bias=kind != "batch_norm"), *between, nn.ReLU(), nn.Linear(32, 10)]


def problem(kind: str) -> fl.Problem:
    def doubled(data: Any) -> tuple[Tensor, Tensor]:
        x, y = data
        return torch.as_tensor(x).double(), torch.as_tensor(y)

    digits = fl.problems.load("digits")
    return fl.Problem(
        lambda: nn.Sequential(*layers(kind)),
        nn.functional.cross_entropy,
        doubled(digits.train),
        test=doubled(digits.test),
        metrics=digits.metrics,
        name=kind,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    others = [name for name in RUNNERS if name != "loop"]
    parser.add_argument("--runners", nargs="+", choices=others, default=others, help="which are held to the loop")
    parser.add_argument("--networks", nargs="+", choices=KINDS, default=KINDS, help="which networks")
    parser.add_argument("--quick", action="store_true", help="few members and steps; nothing is written")
    options = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    given: dict[str, Any] = {"epochs": 1 if options.quick else 15, "seeds": 1 if options.quick else 2}
    given |= {"lrs": [1e-3, 1e-1, 1.0] if options.quick else fl.log(1e-3, 10, 9), "progress": False}
    rows = []
    head = ("members", "stable", "largest difference", "chaotic", "equal endings", "seconds")
    print(f"{'network':12}{'runner':12}" + "".join(f"{name:>20}" for name in head))
    for kind in options.networks:
        with tempfile.TemporaryDirectory() as folder:

            def trained(runner: str, name: str, of: fl.Problem) -> tuple[tuple[Record, ...], float]:
                began = time.perf_counter()
                threads = 2 if runner == "processes" else 1
                store = Path(folder) / name
                results = fl.compare(
                    of, OPTIMIZERS, protocol="sweep", runner=runner, threads=threads, store=store, **given
                )
                return results.records, time.perf_counter() - began

            loop, alone = trained("loop", "loop", problem(kind))
            moved, _ = trained("loop", "moved", moved_by_one_ulp(problem(kind)))
            for runner in options.runners:
                records, seconds = trained(runner, runner, problem(kind))
                found = agreement(loop, records, moved)
                row = {"network": kind, "runner": runner, "members": len(loop), **vars(found)}
                rows.append({**row, "seconds": seconds, "loop_seconds": alone})
                figures = (len(loop), found.stable, f"{found.largest:.1e}", found.chaotic, found.equal_endings)
                print(f"{kind:12}{runner:12}" + "".join(f"{x:>20}" for x in (*figures, f"{seconds:.1f}")), flush=True)
    if not options.quick:
        document = {
            "what": "members of studies by several runners beside the loop, in float64",
            "machine": {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version()},
            "torch": torch.__version__,
            "alike_below": ALIKE,
            "rows": rows,
        }
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    if any(not row["largest"] < ALIKE for row in rows):
        sys.exit("Stable members differ.")


if __name__ == "__main__":
    main()

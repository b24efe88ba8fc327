"""What compiling an optimizer costs: `python benchmarks/compilation.py`.

In fresh processes, with empty caches and then with full ones: the seconds of a first compilation of anything (a
negation), and what the first step of a rule adds to that on a model of 160 tensors of mixed shapes, on the same with a
further group, under a schedule and where gradients are missing. Prints medians and writes them to
benchmarks/results/compilation.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

import fallline as fl
from fallline import rules
from fallline.executors import can_compile
from fallline.study.environment import cpu
from step import shapes

RESULTS = Path(__file__).parent / "results" / "compilation.json"


def measure(names: list[str]) -> dict[str, Any]:
    params = [torch.randn(shape, requires_grad=True) for shape in shapes("conv160")]
    further = [torch.randn(n, 7, requires_grad=True) for n in (3, 9_000)]
    for p in (*params, *further):
        p.grad = torch.randn_like(p)
    found = {"first compilation of anything": seconds(lambda: can_compile(torch.device("cpu")))}
    for name in names:
        made = fl.optim.Optimizer(params, getattr(rules, name)(), executor="compiled")
        found[f"{name}: first step"] = seconds(made.step)
        made.param_groups[0]["lr"] *= 0.5
        params[3].grad = None
        made.add_param_group({"params": further, "lr": 0.01})
        found[f"{name}: step with a new rate, a new group and a gradient missing"] = seconds(made.step)
        params[3].grad = torch.randn_like(params[3])
    return found


def seconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", default="SGD,Adam,RAdam,LAMB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--here", action="store_true", help="measure in this process and print JSON")
    options = parser.parse_args()
    names = options.rules.split(",")
    if options.here:
        print(json.dumps(measure(names)))
        return
    sides: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            for found in sides.values():
                environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": folder}
                command = [sys.executable, __file__, "--here", "--rules", options.rules]
                run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
                found.append(json.loads(run.stdout))
    document = {
        "what": "seconds; 160 tensors of mixed shapes; cold: empty caches, warm: full ones, a fresh process each",
        "machine": {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version()},
        "runs": options.runs,
        **{side: {what: median(one[what] for one in found) for what in found[0]} for side, found in sides.items()},
    }
    print(f"{'seconds':70}    cold   warm")
    for what in document["cold"]:
        print(f"{what:70} {document['cold'][what]:7.2f} {document['warm'][what]:6.2f}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

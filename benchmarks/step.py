"""One optimizer step, ours against torch's: `python benchmarks/step.py [--model large|mlp|conv160]`.

Every side runs in fresh processes of its own, in turn: torch's default, for-loop, multi-tensor and fused steps; ours
as "auto" chooses and compiled. Prints for each rule the medians in milliseconds, the ratio of ours to torch's default
and to torch's best, the time over the read-modify-write floor (the bytes that a step must move over the bandwidth that
an in-place addition reaches in the same process), and after how many steps a compilation with full caches has paid for
itself, the process's first included; writes all to benchmarks/results/step-MODEL-DEVICE.json.
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
from typing import Any

import torch
from torch import Tensor

import fallline as fl
from fallline import rules
from fallline.executors import can_compile, initial_state
from fallline.rules import Rule
from fallline.study.environment import cpu

RESULTS = Path(__file__).parent / "results"
TORCH = {
    "torch": {},
    "torch-loop": {"foreach": False},
    "torch-foreach": {"foreach": True},
    "torch-fused": {"fused": True},
}
OURS = {"auto": "auto", "compiled": "compiled"}
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {}),
    "Momentum": ("SGD", {"momentum": 0.9}),
    "Adagrad": ("Adagrad", {}),
    "RMSprop": ("RMSprop", {}),
    "Adadelta": ("Adadelta", {}),
    "Adam": ("Adam", {}),
    "AdamW": ("AdamW", {}),
    "Adamax": ("Adamax", {}),
    "NAdam": ("NAdam", {}),
    "RAdam": ("RAdam", {}),
    "Rprop": ("Rprop", {}),
    "ASGD": ("ASGD", {}),
    "Lion": ("", {}),
}
"""Rule -> torch's class and its keywords, "" where torch has none."""


def shapes(model: str) -> list[tuple[int, ...]]:
    if model == "large":
        return [(1000, 1000)] * 20
    if model == "mlp":
        return [(200, 784), (200,), (10, 200), (10,)]
    blocks = [(16, 1), (32, 2), (64, 2)]
    found: list[tuple[int, ...]] = []
    for width, kinds in blocks:
        for i in range(17 if kinds == 1 else 18):
            kernel = 3 if i % 2 else 1
            found += [(width, width, kernel, kernel), (width,), (width,)]
    return [*found, (10, 64)]


def optimizer(side: str, name: str, params: list[Tensor]) -> Any:
    kind, keywords = RULES[name]
    if side in OURS:
        return fl.optim.Optimizer(params, getattr(rules, name)(), executor=OURS[side])
    return getattr(torch.optim, kind)(params, lr=1e-3, **keywords, **TORCH[side])


def measure(side: str, names: list[str], model: str, device: str, steps: int) -> dict[str, Any]:
    """Median milliseconds of a step for every rule, and the seconds of the first step."""
    found: dict[str, Any] = {}
    if side == "compiled":
        # What a process pays once, whatever it compiles.
        found["first_compilation_seconds"] = timed(lambda: can_compile(torch.device(device)), device)
    for name in names:
        torch.manual_seed(0)
        params = [torch.randn(shape, device=device, requires_grad=True) for shape in shapes(model)]
        for p in params:
            p.grad = torch.randn_like(p)
        try:
            made = optimizer(side, name, params)
            first = timed(made.step, device)
        except (AttributeError, TypeError, RuntimeError, ValueError):
            continue
        times = [timed(made.step, device) for _ in range(steps)]
        found[name] = {"milliseconds": 1e3 * median(times), "first_seconds": first}
        if side == "compiled" and Path("/proc/self/clear_refs").exists() and device == "cpu":
            found[name]["peak_megabytes"] = peak_megabytes(name, model)
    # As much memory as Adam's step touches, so that no cache holds what a step has to fetch.
    tensors = [torch.zeros(shape, device=device) for shape in 4 * shapes(model)]
    passes = [timed(lambda: [x.add_(1) for x in tensors], device) for _ in range(steps)]
    found["bytes_per_second"] = 8 * sum(x.numel() for x in tensors) / median(passes)
    return found


def peak_megabytes(name: str, model: str, steps: int = 5) -> float:
    """What compiled steps need above parameters, gradients and state at their highest (Linux)."""
    params = [torch.randn(shape, requires_grad=True) for shape in shapes(model)]
    for p in params:
        p.grad = torch.randn_like(p)
    made = optimizer("compiled", name, params)
    made.step()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(steps):
        made.step()
    return resident("VmHWM") - before


def resident(what: str) -> float:
    """Megabytes of memory that the system's table gives for this process."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def timed(work: Any, device: str) -> float:
    began = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def bytes_per_number(rule: Rule) -> int:
    """What a step must move: the weight and every state entry read and written, the gradient read."""
    probe = torch.zeros(3)
    entries = sum(entry.shape == probe.shape for entry in initial_state(rule, probe).values())
    return 4 * (2 + 1 + 2 * entries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=("large", "mlp", "conv160"), default="large")
    parser.add_argument("--rules", default=",".join(RULES), help="names, separated by commas")
    parser.add_argument("--runs", type=int, default=3, help="fresh processes of each side")
    parser.add_argument("--steps", type=int, default=0, help="timed steps in each process")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--side", choices=(*TORCH, *OURS), help="measure one side here and print its JSON")
    options = parser.parse_args()
    names = options.rules.split(",")
    steps = options.steps or {"large": 15, "mlp": 300, "conv160": 60}[options.model]
    torch.set_num_threads(options.threads)
    if options.side:
        print(json.dumps(measure(options.side, names, options.model, options.device, steps)))
        return
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in (*TORCH, *OURS)}
    for _ in range(options.runs):
        for side in runs:
            command = [sys.executable, __file__, "--side", side, "--model", options.model, "--rules", options.rules]
            command += ["--device", options.device, "--threads", str(options.threads), "--steps", str(steps)]
            runs[side].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    document = summary(runs, names, options)
    print_table(document)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"step-{options.model}-{options.device}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")


def summary(runs: dict[str, list[dict[str, Any]]], names: list[str], options: argparse.Namespace) -> dict[str, Any]:
    numbers = sum(torch.Size(shape).numel() for shape in shapes(options.model))
    bandwidth = median(one["bytes_per_second"] for one in runs["compiled"])
    found: dict[str, Any] = {}
    for name in names:
        of = {
            side: median(one[name]["milliseconds"] for one in sides) for side, sides in runs.items() if name in sides[0]
        }
        theirs = {side: milliseconds for side, milliseconds in of.items() if side in TORCH}
        floor = 1e3 * bytes_per_number(getattr(rules, name)()) * numbers / bandwidth
        row: dict[str, Any] = {"milliseconds": of, "over_floor": of["compiled"] / floor}
        peaks = [one[name]["peak_megabytes"] for one in runs["compiled"] if "peak_megabytes" in one[name]]
        row["peak_megabytes"] = max(peaks, default=None)
        if theirs:
            first = median(one[name]["first_seconds"] + one["first_compilation_seconds"] for one in runs["compiled"])
            gain = of["torch"] - of["compiled"]
            row["auto_over_torch_default"] = of["auto"] / of["torch"]
            row["torch_best_over_compiled"] = min(theirs.values()) / of["compiled"]
            row["break_even_steps"] = round(1e3 * first / gain) if gain > 0 else None
        found[name] = row
    machine = {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__}
    if options.device == "cuda":
        machine["gpu"] = torch.cuda.get_device_name()
    return {
        "what": f"one step, model {options.model}: {numbers} numbers in {len(shapes(options.model))} tensors",
        "machine": {**machine, "threads": options.threads, "device": options.device},
        "runs": options.runs,
        "gigabytes_per_second": bandwidth / 1e9,
        "rules": found,
    }


def print_table(document: dict[str, Any]) -> None:
    print(document["what"], document["machine"], f"{document['gigabytes_per_second']:.1f} GB/s", sep="\n")
    print(
        f"{'':10}"
        + "".join(f"{side:>15}" for side in (*TORCH, *OURS))
        + "  auto/default  best/compiled  floor  even at"
    )
    for name, row in document["rules"].items():
        cells = [
            f"{row['milliseconds'][s]:15.3f}" if s in row["milliseconds"] else f"{'-':>15}" for s in (*TORCH, *OURS)
        ]
        ratios = [
            f"{row[k]:14.2f}" if k in row else f"{'-':>14}"
            for k in ("auto_over_torch_default", "torch_best_over_compiled")
        ]
        print(
            f"{name:10}" + "".join(cells) + "".join(ratios) + f"{row['over_floor']:7.2f}  {row.get('break_even_steps')}"
        )


if __name__ == "__main__":
    main()

"""What checkpoints cost: `python benchmarks/checkpoints.py`.

Trains networks of three sizes with Adam on synthetic rows, in turn with checkpoints as they are by default and with
none before the end. Prints medians: wall-clock seconds of both sides and their ratio, how often and how long was
written, and the size of a checkpoint; writes them to benchmarks/results/checkpoints.json.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

import fallline as fl
from fallline.fitting import keeper
from fallline.study.environment import cpu

RESULTS = Path(__file__).parent / "results" / "checkpoints.json"
SIZES: dict[str, tuple[list[int], int, int]] = {
    "64-64-10": ([64, 64, 10], 1_500, 40),
    "784-200-10": ([784, 200, 10], 12_800, 10),
    "784-2000-2000-10": ([784, 2000, 2000, 10], 12_800, 1),
}
"""Name -> layer sizes, rows, epochs."""


def problem(sizes: list[int], rows: int) -> fl.Problem:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, sizes[0], generator=generator)
    y = torch.randint(0, sizes[-1], (rows,), generator=generator)
    return fl.Problem(lambda: fl.problems.mlp(sizes), nn.functional.cross_entropy, (x, y), name="rows")


def run(of: fl.Problem, epochs: int, every: str | None) -> dict[str, float]:
    written: list[float] = []
    write = keeper.Keeper.write

    def timed(self: Any, ended: bool = False) -> None:
        began = time.perf_counter()
        write(self, ended)
        written.append(time.perf_counter() - began)

    keeper.Keeper.write = timed  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            fl.fit(of, "adam", epochs=epochs, threads=1, progress=False, store=folder, checkpoint_every=every)
            seconds = time.perf_counter() - began
            size = (Path(folder) / "last.safetensors").stat().st_size
    finally:
        keeper.Keeper.write = write  # type: ignore[method-assign]
    return {"seconds": seconds, "writes": len(written), "write_seconds": median(written), "megabytes": size / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each side")
    options = parser.parse_args()
    document: dict[str, Any] = {
        "what": "seconds of a training with checkpoints as by default, and with none before its end",
        "machine": {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version(), "threads": 1},
        "runs": options.runs,
        "sizes": {},
    }
    for name, (sizes, rows, epochs) in SIZES.items():
        of = problem(sizes, rows)
        sides: dict[str, list[dict[str, float]]] = {"default": [], "none": []}
        run(of, 1, None)
        for _ in range(options.runs):
            sides["default"].append(run(of, epochs, None))
            sides["none"].append(run(of, epochs, "1000000000"))
        found = {key: median(one[key] for one in sides["default"]) for key in sides["default"][0]}
        found["seconds_without"] = median(one["seconds"] for one in sides["none"])
        found["ratio"] = found["seconds"] / found["seconds_without"]
        document["sizes"][name] = found
        print(
            f"{name:18} {found['seconds']:.2f} s with, {found['seconds_without']:.2f} s without: "
            f"ratio {found['ratio']:.3f}; {found['writes']:.0f} writes of {1000 * found['write_seconds']:.1f} ms, "
            f"{found['megabytes']:.2f} MB",
            flush=True,
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

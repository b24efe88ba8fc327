"""Whether killed studies go on bit for bit: `python benchmarks/kills.py --kills 60`.

Studies of four kinds of networks (MLP, BatchNorm, dropout, convolution), and one most of whose members diverge and
leave their population, each with gradient noise and a new order every epoch, are trained whole, and by every runner
again and again until they have ended, while the process that runs them is sent SIGKILL at seeded random moments. Counts
the kills, those that left a checkpoint of members in training, processes that outlived the killed one, and numbers of
the curves and bits of the final weights that differ. Prints a table and writes it to benchmarks/results/kills.json;
with some of the runners or networks alone it writes nothing.
"""

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import fallline as fl
from fallline.cohorts import Costs
from fallline.study import checkpoints, planning
from fallline.study.environment import cpu
from fallline.study.weights import load_weights

RESULTS = Path(__file__).parent / "results" / "kills.json"
SEED = 0
EPOCHS = 60
WORKERS = 2
EVERY = 0.1
"""Seconds between checkpoints, in place of 20, so that there is one at most moments."""


def layers(kind: str) -> list[nn.Module]:
    if kind == "convolution":
        small = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)]
        return [nn.Unflatten(1, (1, 8, 8)), *small]
    between = {"mlp": [], "batch_norm": [nn.BatchNorm1d(32)], "dropout": [nn.Dropout(0.3)], "leaving": []}[kind]
    return [nn.Linear(64, 32), *between, nn.Tanh(), nn.Linear(32, 10)]


KINDS = ("mlp", "batch_norm", "dropout", "convolution", "leaving")


def study(kind: str, runner: str, store: Path) -> fl.Results:
    generator = torch.Generator().manual_seed(SEED)
    x = torch.randn(500, 64, generator=generator)
    y = torch.randint(0, 10, (500,), generator=generator)
    problem = fl.Problem(lambda: nn.Sequential(*layers(kind)), nn.functional.cross_entropy, (x, y), name=kind)
    threads = WORKERS if runner == "processes" else 1
    given: dict[str, Any] = {"vary": {"gradient_noise": [0.1]}, "batch_sizes": [11], "epochs": EPOCHS, "seeds": 2}
    given |= {"lrs": [1e-2], "runner": runner, "threads": threads, "store": store, "progress": False}
    if kind == "leaving":
        given["lrs"] = [1e-2, 1e30, 1e31, 1e32]
    # Studies as short as these would never repay it that members leave.
    planning.WORTH_MEASURING = 0
    planning.costs_of = lambda *_: Costs(setting=1.0, preparing=0.0)
    return fl.compare(problem, ["adam"], protocol="sweep", **given)


def killed_until_it_ends(kind: str, runner: str, store: Path, chance: random.Random, kills: int) -> dict[str, int]:
    """Run a study in processes that are killed, so many times at most; what was seen of them."""
    seen = {"kills": 0, "in_training": 0, "outlived": 0}
    while True:
        process = subprocess.Popen([sys.executable, __file__, "--child", kind, runner, str(store)])
        if seen["kills"] < kills:
            wait_for_a_moment(process, store, chance)
        if seen["kills"] >= kills or process.poll() is not None:
            if process.wait() != 0:
                raise SystemExit(f"{kind} with {runner} ended with {process.returncode}")
            return seen
        others = children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        seen["kills"] += 1
        seen["in_training"] += any(store.glob("checkpoints/*.safetensors"))
        seen["outlived"] += outliving(others)


def wait_for_a_moment(process: "subprocess.Popen[bytes]", store: Path, chance: random.Random) -> None:
    """Once in five any moment, else one after the process has written a checkpoint."""
    began = time.time()
    at_once = chance.random() < 0.2
    while not at_once and process.poll() is None:
        if any(path.stat().st_mtime > began for path in store.glob("checkpoints/*.safetensors") if path.exists()):
            break
        time.sleep(0.01)
    time.sleep(chance.uniform(0, 6 if at_once else 0.6))


def children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(word) for word in listed.split()]


def outliving(pids: list[int], seconds: float = 5.0) -> int:
    """How many of some processes still run after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        listed = [subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True) for pid in pids]
        left = sum(bool(one.stdout.strip()) and one.stdout.strip()[0] != "Z" for one in listed)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def differing(one: fl.Results, other: fl.Results) -> dict[str, int]:
    """How many numbers of the curves, and bits of the final weights, differ."""
    others = {record.key: record for record in other.records}
    numbers = bits = 0
    for record in one.records:
        pairs = [(record.curve.columns[name], others[record.key].curve.columns[name]) for name in record.curve.columns]
        numbers += sum(
            float(a).hex() != float(b).hex() for left, right in pairs for a, b in zip(left, right, strict=True)
        )
        if not (one.folder / "weights" / f"{record.key}.safetensors").exists():
            # Only those of the best setting are kept.
            continue
        weights = [load_weights(results.folder, record.key) for results in (one, other)]
        bits += sum(bits_between(weights[0][name], weights[1][name]) for name in weights[0])
    in_all = sum(len(values) for record in one.records for values in record.curve.columns.values())
    return {"numbers": in_all, "differing": numbers, "bits": bits}


def bits_between(a: Tensor, b: Tensor) -> int:
    differing = a.reshape(-1).view(torch.uint8) ^ b.reshape(-1).view(torch.uint8)
    return sum(int(x).bit_count() for x in differing)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=60, help="kills in all, shared by runners and networks")
    runners = tuple(planning.RUNNERS)
    parser.add_argument("--runners", nargs="+", choices=runners, default=runners, help="which runners")
    parser.add_argument("--networks", nargs="+", choices=KINDS, default=KINDS, help="which networks")
    options = parser.parse_args()
    chance = random.Random(SEED)
    each = -(-options.kills // (len(options.networks) * len(options.runners)))
    rows = []
    head = ["studies", "kills", "in training", "outlived", "numbers", "differing", "bits"]
    print(f"{'network':12}{'runner':12}" + "".join(f"{name:>13}" for name in head))
    with tempfile.TemporaryDirectory() as folder:
        # Plans are measured once, and not kept with the user's.
        os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "cache")
        for kind in options.networks:
            for runner in options.runners:
                # Processes must give the bits of the loop; others those that they give when they are left alone.
                alone = "loop" if runner == "processes" else runner
                whole = study(kind, alone, Path(folder) / f"{kind}-{runner}")
                row: Counter[str] = Counter()
                while row["kills"] < each:
                    store = Path(folder) / f"{kind}-{runner}-{row['studies']}"
                    row.update(killed_until_it_ends(kind, runner, store, chance, each - row["kills"]), studies=1)
                    row.update(differing(whole, fl.results(store)))
                rows.append({"network": kind, "runner": runner, **row})
                figures = [row[name.replace(" ", "_")] for name in head]
                print(f"{kind:12}{runner:12}" + "".join(f"{figure:13}" for figure in figures), flush=True)
    if (set(options.runners), set(options.networks)) != (set(runners), set(KINDS)):
        return
    document = {
        "what": "studies killed with SIGKILL at random moments until they ended, against the same trained whole",
        "machine": {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version()},
        "torch": torch.__version__,
        "seconds_between_checkpoints": EVERY,
        "kills": sum(row["kills"] for row in rows),
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        checkpoints.EVERY = EVERY
        study(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        main()

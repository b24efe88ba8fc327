"""What it saves that members which have ended leave their population: `python benchmarks/leaving.py`.

64 settings with 5 seeds each, on digits, of which three quarters end early: `diverged`, momentum with far too large
rates; `stopped`, momentum that early stopping ends after few epochs. Each study is trained by a plan whose costs are
measured, in which members leave where that repays, and by the same plan without costs, in which they stay and are
masked: fresh processes in turn. Prints processor seconds (one thread), the steps at which members left, and how far
the final losses of both differ; writes benchmarks/results/leaving.json. `--quick` trains 16 settings with 2 seeds once
and writes nothing.
"""

import argparse
import json
import math
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
from fallline.study import together
from fallline.study.environment import cpu

RESULTS = Path(__file__).parent / "results" / "leaving.json"
CASES = ("diverged", "stopped")
EPOCHS = 30


def study(case: str, leave: bool, runner: str, settings: int, seeds: int) -> dict[str, Any]:
    """Plan and train one study; what it took and how its members ended."""
    if not leave:
        together.costs_of = lambda *_: None  # type: ignore[assignment]
    good = settings // 4
    given: dict[str, Any] = {"epochs": EPOCHS, "seeds": seeds, "threads": 1, "runner": runner, "progress": False}
    if case == "diverged":
        rates = [*fl.log(1e-4, 1e-2, good), *fl.log(1e4, 1e6, settings - good)]
        given |= {"lrs": rates}
    else:
        # Rates so large that validation soon gets worse, and so small that it falls to the end.
        rates = [*fl.log(1e-5, 1e-4, good), *fl.log(1.0, 3.0, settings - good)]
        given |= {"lrs": rates, "vary": {"patience": [2.0]}}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        options = {name: x for name, x in given.items() if name != "progress"}
        fl.plan("digits", ["momentum"], protocol="sweep", **options)
        began = time.process_time()
        results = fl.compare("digits", ["momentum"], protocol="sweep", store=Path(folder) / "study", **given)
        seconds = time.process_time() - began
    populations = results.plan["populations"]
    return {
        "seconds": seconds,
        "costs": [own["costs"] for own in populations],
        "compaction": [own["compaction"] for own in populations],
        "ended": sum(str(record.outcome.ending) != "finished" for record in results.records),
        "members": len(results.records),
        "finals": {record.key: record.final("train_loss") for record in results.records},
    }


def farthest(one: dict[str, float], other: dict[str, float]) -> float:
    """The largest relative difference of two studies' final losses."""
    pairs = [(one[key], other[key]) for key in one]
    return max(abs(a - b) / abs(b) for a, b in pairs if math.isfinite(a) or math.isfinite(b))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="fresh processes of each side")
    parser.add_argument("--runner", choices=("population", "compiled"), default="population")
    parser.add_argument("--quick", action="store_true", help="few members, once; nothing is written")
    options = parser.parse_args()
    size = ("16", "2") if options.quick else ("64", "5")
    rows = []
    print(f"{'case':10}{'leave':>10}{'stay':>10}{'ratio':>8}{'difference':>12}  left at")
    for case in CASES:
        found: dict[str, list[dict[str, Any]]] = {"leave": [], "stay": []}
        for _ in range(1 if options.quick else options.runs):
            for side, of in found.items():
                line = [sys.executable, __file__, "--child", case, side, options.runner, *size]
                of.append(json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout))
        first = found["leave"][0]
        leave, stay = (median(run["seconds"] for run in of) for of in found.values())
        row = {
            "case": case,
            "members": first["members"],
            "ended_early": first["ended"],
            "leave_seconds": leave,
            "stay_seconds": stay,
            "stay_over_leave": stay / leave,
            "farthest_final_loss": farthest(first["finals"], found["stay"][0]["finals"]),
            "compaction": [run["compaction"] for run in found["leave"]],
            "costs": [run["costs"] for run in found["leave"]],
        }
        rows.append(row)
        print(
            f"{case:10}{leave:9.1f}s{stay:9.1f}s{stay / leave:8.2f}{row['farthest_final_loss']:12.1e}  "
            f"{first['compaction']}, {first['ended']} of {first['members']} ended early",
            flush=True,
        )
    if options.quick:
        return
    document = {
        "what": f"64 x 5 members, runner {options.runner}, {EPOCHS} epochs: those that ended leave, or stay masked",
        "machine": {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version()},
        "torch": torch.__version__,
        "runs": options.runs,
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        case, side, runner, settings, seeds = sys.argv[2:]
        torch.set_num_threads(1)
        print(json.dumps(study(case, side == "leave", runner, int(settings), int(seeds))))
    else:
        main()

"""The memory that a study of many small members takes: `python benchmarks/memory.py` (Linux, macOS).

`fallline compare cubic` with 10,000 learning rates of Adam and 50 steps, as a user would, in a process of its own:
plan, training, store, table, pictures and report; then `fallline report --json` on what it left. Prints seconds and
peak resident memory of each, beside those of a study of two members; fails where many take 2 GB more than two. Writes
benchmarks/results/memory.json; with another number of members nothing is written.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from fallline.study.environment import cpu

RESULTS = Path(__file__).parent / "results" / "memory.json"
MEMBERS = 10_000
LIMIT = 2e9
"""Bytes that many members may take above what two take."""
UNIT = 1024 if sys.platform == "linux" else 1
"""Bytes in a unit of `ru_maxrss`."""


def commands(members: int, store: str) -> dict[str, list[str]]:
    study = ["compare", "cubic", "-o", "adam", "--lr", f"1e-5:1:{members}", "--steps", "50", "--seeds", "1"]
    study += ["--protocol", "sweep"]
    return {"compare": [*study, "--store", store], "report": ["report", store, "--json"]}


def peak(command: list[str]) -> dict[str, float]:
    """Seconds and peak bytes of a command, measured by a process that has no other child."""
    line = [sys.executable, __file__, "--child", *command]
    found: dict[str, float] = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE).stdout)
    return found


def child(command: list[str]) -> None:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "fallline", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "seconds": time.perf_counter() - began,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "bytes": used.ru_maxrss * UNIT,
    }
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=MEMBERS)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(f"{'command':10}{'members':>10}{'seconds':>10}{'processor':>11}{'peak':>10}{'report':>10}{'store':>10}")
    for members in (2, options.members):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "study"
            for name, command in commands(members, str(store)).items():
                found = peak(command)
                sizes = {file: (store / file).stat().st_size for file in ("report.html", "study.sqlite")}
                rows.append({"command": name, "members": members, **found, **sizes})
                print(
                    f"{name:10}{members:10}{found['seconds']:9.1f}s{found['processor_seconds']:10.1f}s"
                    + "".join(f"{size / 1e6:7.0f} MB" for size in (found["bytes"], *sizes.values())),
                    flush=True,
                )
    above = max(row["bytes"] for row in rows[2:]) - min(row["bytes"] for row in rows[:2])
    print(f"{options.members} members take {above / 1e9:.2f} GB more than 2.")
    if options.members == MEMBERS:
        document = {
            "what": "cubic, Adam, 50 steps: the command line's seconds and peak resident memory",
            "machine": {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version()},
            "torch": torch.__version__,
            "rows": rows,
        }
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    if above > LIMIT:
        sys.exit(f"That is more than {LIMIT / 1e9:g} GB.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        main()

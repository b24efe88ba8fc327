"""Studies as fallline trains them; prints JSON. Run by benchmarks/study.py."""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

_began = time.perf_counter()
import fallline as fl  # noqa: E402

# The package is lazy.
_compare = fl.compare
IMPORT_SECONDS = time.perf_counter() - _began
import numpy as np  # noqa: E402
import torch  # noqa: E402
from stopwatch import Measured, measured, row  # noqa: E402

ONE_BY_ONE = ("auto", "loop", "processes")
"""Runners that train members by themselves, so that a few of them say what all would take."""


def study(program: dict[str, Any], runner: str, threads: int, device: str, store: str) -> "fl.Results":
    """One program as a study: every contender with the learning rates."""
    epochs = program.get("epochs")
    return fl.compare(
        program["problem"],
        [spelled(contender) for contender in program["contenders"]],
        protocol="sweep",
        lrs=program["contenders"][0]["rates"],
        batch_sizes=[program["batch_size"]],
        epochs=epochs,
        steps=None if epochs else program["steps"],
        seeds=program.get("seeds", 1),
        # As the other sides: digits keeps what it holds out, the others train on all rows.
        validation=None if program["problem"] == "digits" else 0,
        losses_every=None if epochs else 1,
        runner=runner,
        threads=threads,
        device=device,
        store=store,
        progress=False,
    )


def seconds_of_the_steps(results: "fl.Results") -> float:
    """What all updates of all members took together, evaluations left out."""
    return sum(record.seconds for record in results.records)


def spelled(contender: dict[str, Any]) -> str:
    """A contender as `compare` takes it by name: `momentum:momentum=0.8`."""
    settings = ",".join(f"{name}={value}" for name, value in contender["settings"].items())
    return f"{contender['rule'].lower()}:{settings}".rstrip(":")


def fewer(program: dict[str, Any], few: int | None) -> tuple[dict[str, Any], list[int]]:
    """The program with a few rates (None: all), evenly chosen, and the numbers of the members that are left."""
    contenders = program["contenders"]
    rates = contenders[0]["rates"]
    count = len(rates) if few is None else min(len(rates), max(1, few // len(contenders)))
    kept = sorted({round(i) for i in np.linspace(0, len(rates) - 1, count)})
    left = [{**contender, "rates": [rates[j] for j in kept]} for contender in contenders]
    return {**program, "contenders": left}, [i * len(rates) + j for i in range(len(contenders)) for j in kept]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runner", default="population")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--few", type=int, default=10, help="members that a runner which trains them one by one is given"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--once", action="store_true", help="train once: a process that is timed from outside")
    parser.add_argument("--losses", type=Path, help="where the losses of every batch are written")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    losses: dict[str, Any] = {}
    for whole in json.loads((options.folder / "programs.json").read_text()):
        one_by_one = options.runner in ONE_BY_ONE and not options.once
        program, numbers = fewer(whole, options.few if one_by_one else None)
        taken: list[Measured] = []
        for _ in range(1 if options.once else 2):
            with tempfile.TemporaryDirectory() as store:
                results, took = measured(
                    lambda store=store, program=program: study(
                        program, options.runner, options.threads, options.device, store
                    )
                )
            taken.append(took)
        members = len(results.records)
        steps = max(int(record.curve["step"][-1]) for record in results.records)
        found[whole["what"]] = row(
            steps,
            members,
            seconds_of_the_steps(results),
            whole_seconds=taken[-1].seconds,
            whole_cpu_seconds=taken[-1].cpu_seconds,
            cold_seconds=taken[0].seconds,
            runner=results.plan["runner"],
            diverged=sum(record.diverged for record in results.records),
        )
        if options.losses:
            losses[f"{whole['what']}/members"] = np.array(numbers)
            losses[f"{whole['what']}/losses"] = np.array([recorded(record, steps) for record in results.records])
    if options.losses:
        np.savez(options.losses, **losses)
    versions = {"fallline": fl.__version__, "torch": torch.__version__}
    found_of = {"versions": versions, "import_seconds": IMPORT_SECONDS, "programs": found}
    if options.once:
        found_of["validation_losses"] = {best.optimizer: best.score for best in results.ranking}
    print(json.dumps(found_of))


def recorded(record: Any, steps: int) -> list[float]:
    """The loss of every batch, infinite where it was NaN; NaN behind the end of a training that diverged."""
    losses = record.curve.losses
    return [
        np.inf if step in losses and np.isnan(losses[step]) else losses.get(step, np.nan)
        for step in range(1, steps + 1)
    ]


if __name__ == "__main__":
    main()

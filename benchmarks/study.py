"""Whole studies, trained by fallline, by JAX and by torch's loops: `python benchmarks/study.py --case cubic` (Linux).

Cases: `cubic`, 250 learning rates of Adam on a 1-20-1 network, 750 steps; `five`, five optimizers with 50 rates each on
the same; `mnist`, 16 members of a 784-200-10 network, batch 64 and 1 (FALLLINE_DATA names the data); `members`, what 1
to 4,096 rates cost; `digits`, a study of 240 members with its evaluations, whole processes. `--device cuda`: 1,000
members of the MNIST network for 5 epochs, fallline and torch's loop. `--quick` is small and writes nothing.

All sides start at the same weights and see the same batches, in single precision, in fresh processes in turn, pinned to
as many cores as `--threads` says. JAX is `jit(vmap(scan))` with optax, in an environment of its own that is made where
it is missing. The loops, and runners that train members one by one, train a few of them and are scaled. fallline's
first process finds no compiled code in torch's cache, its second what the first has left there.

Prints for every program the medians: microseconds of a step of all members and of a member-step, evaluations left out;
seconds until the first result, compilation included, and of the study when it is run again in the same process; the
most memory that the process has held until then (programs run from the smallest to the largest); how many times as
fast as torch's loop and as JAX; how far the losses of stable trainings are from torch's loop's. Writes
benchmarks/results/study-CASE-RUNNER-DEVICE-PROCESSOR.json.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from against.jax_environment import jax_environment
from against.study_agreement import agreement
from against.study_inputs import programs, write_inputs
from against.study_table import Runs, print_tables, summary, told
from fallline.study.environment import cpu

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CASES = ("cubic", "five", "mnist", "digits", "members")
FULL = "fallline, full caches"
LOOP = "fallline's loop"
MAKERS = ("intel", "amd", "apple", "processor", "cpu")
ONE_BY_ONE = ("auto", "loop", "processes")
"""Runners that compile nothing."""
COMPARED = ("fallline", "jax", "torch loop")
"""Whose losses are kept."""


def sides(options: argparse.Namespace) -> list[str]:
    """Who takes part; the second fallline finds what the first has compiled."""
    if options.device == "cuda":
        # JAX is installed for the CPU.
        found = ["fallline", FULL, "torch loop"]
    elif options.case == "digits":
        found = ["fallline", FULL, LOOP, "jax", "torch loop"]
    else:
        found = ["fallline", FULL, "jax", "torch loop", "tutorial loop"]
    if options.runner in ONE_BY_ONE:
        found = [side for side in found if side not in (FULL, LOOP)]
    asked = options.sides.split(",") if options.sides else found
    return [side for side in found if side.partition(",")[0] in asked]


def command(side: str, options: argparse.Namespace, folder: Path, threads: str) -> list[str]:
    """What trains one side on the inputs in a folder."""
    script = {"f": "fallline_study.py", "j": "jax_study.py"}.get(side[0], "torch_study.py")
    if options.case == "digits" and side[0] != "f":
        script = script.replace("study", "digits")
    python = jax_environment() if side == "jax" else sys.executable
    found = [python, str(HERE / "against" / script), str(folder)]
    if side == "jax":
        return found
    found += ["--threads", threads]
    if side[0] == "f":
        found += ["--runner", "loop" if side == LOOP else options.runner]
        found += ["--once"] if options.case == "digits" else []
    elif options.case != "digits":
        found += ["--loop", side]
    if options.case != "digits":
        found += ["--few", str(options.few)]
        found += ["--device", options.device]
    return found


def run(side: str, options: argparse.Namespace, folder: Path, threads: str, caches: str, losses: Path | None) -> Any:
    """One side in a fresh process, and what it prints; of digits the seconds of the process."""
    cores = sorted(os.sched_getaffinity(0))[-int(threads) :]
    line = command(side, options, folder, threads)
    if losses:
        line += ["--losses", str(losses)]
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": caches, "OMP_NUM_THREADS": threads}
    began = time.perf_counter()
    process = subprocess.run(
        line,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return {**json.loads(process.stdout), "process_seconds": time.perf_counter() - began}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, default="cubic")
    parser.add_argument("--quick", action="store_true", help="few members and steps; nothing is written")
    parser.add_argument("--runs", type=int, default=3, help="fresh processes of each side")
    parser.add_argument("--threads", default="1", help="numbers of threads, separated by commas: 1,2")
    parser.add_argument("--runner", default="population", help="fallline's")
    parser.add_argument("--few", type=int, default=10, help="members that are trained where it goes one by one")
    parser.add_argument("--sides", help="fallline, jax, torch loop, ..., separated by commas; nothing is written then")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    if options.device == "cuda":
        options.case = "mnist"
        if not torch.cuda.is_available():
            raise SystemExit(f"--device cuda needs a CUDA GPU; torch {torch.__version__} finds none here.")
    several = programs(options.case, options.quick, options.device)
    load = os.getloadavg()[0]
    counts = options.threads.split(",")
    found: dict[str, Runs] = {threads: {side: [] for side in sides(options)} for threads in counts}
    compared = None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, several)
        for number in range(options.runs):
            for threads, of in found.items():
                losses = number == 0 and threads == counts[0] and options.case != "digits" and options.device == "cpu"
                with tempfile.TemporaryDirectory() as caches:
                    for side in of:
                        kept = folder / f"{side}.npz" if losses and side in COMPARED else None
                        of[side].append(run(side, options, folder, threads, caches, kept))
                        print(f"run {number + 1}, threads {threads}: {side}", file=sys.stderr, flush=True)
        paths = {side: path for side in COMPARED if (path := folder / f"{side}.npz").exists()}
        if "torch loop" in paths:
            compared = agreement(paths.pop("torch loop"), paths)
    document = {
        "what": f"studies: {options.case}",
        "runner": options.runner,
        "machine": machine(options, load),
        "runs": options.runs,
        **told(found),
        "agreement": compared,
        "threads": {threads: summary(several, of, options.case) for threads, of in found.items()},
    }
    print_tables(document)
    if not options.quick and not options.sides:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"study-{options.case}-{options.runner}-{options.device}-{family(cpu())}.json"
        path.write_text(json.dumps(document, indent=1) + "\n")


def family(processor: str) -> str:
    """A processor's family: `xeon` of "Intel(R) Xeon(R) Processor"."""
    words = re.findall(r"[a-z0-9]+", processor.lower().replace("(r)", "").replace("(tm)", ""))
    return next((word for word in words if word not in MAKERS), "unknown")


def machine(options: argparse.Namespace, load: float) -> dict[str, Any]:
    found = {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version(), "load": load}
    if options.device == "cuda":
        found["gpu"] = torch.cuda.get_device_name()
    return {**found, "device": options.device}


if __name__ == "__main__":
    main()

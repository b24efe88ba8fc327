"""fallline against the package pytorch_optimizer: `python benchmarks/pytorch_optimizer.py`.

For every algorithm that both have: whether they take the same steps from the same start with the same gradients in
double precision, with both sides' own defaults and, where these part, with the settings that make them agree; and the
time of a step on 20 tensors of a million numbers and on a 784-200-10 network, both sides in turn in one process.
Writes benchmarks/results/pytorch_optimizer.json. The pairs and the reasons are in benchmarks/against/pairs.py.

The package is installed, by itself, into a virtual environment in the user's cache folder that sees the packages of
this one; `--python` names another interpreter that has fallline and the package.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import platformdirs
import torch

from fallline.study.environment import cpu

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "pytorch_optimizer.json"
VERSION = "4.1.0"
AGREE = 1e-10
"""Relative difference up to which two sides agree: what rounding leaves of 50 steps, some as small as 1e-4."""


def environment() -> str:
    """The interpreter of the package's own environment, which is made where it is missing."""
    folder = Path(platformdirs.user_cache_dir("fallline")) / "benchmarks" / f"pytorch-optimizer-{VERSION}"
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=False, clear=True)
        ours = sysconfig.get_path("purelib")
        theirs = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        # addsitedir, because fallline itself may be installed by a .pth file.
        (theirs / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        # Without its dependencies: torch must be the one that is here.
        wanted = ["--no-deps", "--target", str(theirs), f"pytorch-optimizer=={VERSION}"]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True)
        ready.touch()
    return str(python)


def answer(python: str, script: str, *arguments: str) -> Any:
    run = subprocess.run(
        [python, str(HERE / "against" / script), *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(run.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="an interpreter that has fallline and pytorch_optimizer")
    parser.add_argument("--rules", help="names, separated by commas; nothing is written then")
    parser.add_argument("--agreement", action="store_true", help="measure no speed; nothing is written then")
    options = parser.parse_args()
    python = options.python or environment()
    agreement = answer(python, "agreement.py")
    if agreement["torch"] != torch.__version__:
        raise SystemExit(f"torch is {torch.__version__} here and {agreement['torch']} there.")
    names = options.rules.split(",") if options.rules else list(agreement["rules"])
    models = [] if options.agreement else ["mlp", "large"]
    speed = {model: answer(python, "speed.py", model, *names) for model in models}
    machine = {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version(), "torch": torch.__version__}
    document = {
        "what": "the same algorithms in fallline and in the package pytorch_optimizer",
        "pytorch_optimizer": agreement["version"],
        "machine": machine,
        "threads": {model: found["threads"] for model, found in speed.items()},
        "agree_below": AGREE,
        "torchs_own": agreement["torchs_own"],
        "rules": {
            name: {
                **agreement["rules"][name],
                "speed": {model: with_ratios(found["rules"][name]) for model, found in speed.items()},
            }
            for name in names
        },
    }
    print_tables(document)
    if not options.rules and not options.agreement:
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")


def with_ratios(row: dict[str, Any]) -> dict[str, Any]:
    taken = row["milliseconds"]
    return {**row, **{f"theirs_over_{side}": taken["theirs"] / taken[side] for side in ("auto", "compiled")}}


def print_tables(document: dict[str, Any]) -> None:
    print(f"pytorch_optimizer {document['pytorch_optimizer']}", document["machine"], sep="\n")
    print(f"torch's own classes there: {', '.join(document['torchs_own'])}\n")
    print(f"{'':26}{'defaults':>9}  steps  {'settled':>8}  steps")
    for name, row in document["rules"].items():
        settled = f"{row['settled_difference']:9.1e}{row['settled_steps']:7}" if "settings" in row else ""
        print(f"{name:26}{row['difference']:9.1e}{row['steps']:7}{settled}")
        if row["reason"]:
            print(f"    why: {row['reason']}")
        if "settings" in row:
            print(f"    settled by: {row['settings']}")
    for model in document["threads"]:
        print(f"\n{model}: milliseconds of a step, threads: {document['threads'][model]}")
        print(f"{'':26}{'theirs':>9}{'auto':>9}{'compiled':>9}  theirs/auto  theirs/compiled  auto is")
        for name, row in document["rules"].items():
            found = row["speed"][model]
            cells = "".join(f"{found['milliseconds'][side]:9.3f}" for side in ("theirs", "auto", "compiled"))
            ratios = f"{found['theirs_over_auto']:13.2f}{found['theirs_over_compiled']:17.2f}"
            print(f"{name:26}{cells}{ratios}  {found['auto_is']}")
            for said in found.get("warnings", []):
                print(f"    {said}")


if __name__ == "__main__":
    main()

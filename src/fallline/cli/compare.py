"""`fallline compare`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from fallline.cli.options import OPTIMIZER_HELP, DataDir, Json, Quiet


def compare(
    problems: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROBLEM...",
            help="Built-in name (with options: mnist:hidden=500), path/to/file.py:name or package.module:name.",
        ),
    ] = None,
    optimizer: Annotated[
        list[str] | None, typer.Option("--optimizer", "-o", metavar="NAME[:key=value,...]", help=OPTIMIZER_HELP)
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option(metavar="LOW:HIGH:COUNT|A,B,...", help="Learning rates tried by optimizers that name none."),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=A,B,...",
            help="A factor (dropout, l1, patience, ...) or a hyperparameter. May be repeated.",
        ),
    ] = None,
    schedule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:key=value,...]", help="Learning-rate schedule: cosine:warmup=0.1, ... May be repeated."
        ),
    ] = None,
    penalise: Annotated[
        str, typer.Option(metavar="weights|all|FILE.py:RULE", help="Which parameters l1, l2 and decay act on.")
    ] = "weights",
    batch_size: Annotated[
        str | None, typer.Option(metavar="N,...", help="Batch sizes; the problem's own or 64 by default.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Epochs of every training; the problem's own or 10 by default.")
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Updates of every training, instead.")] = None,
    seeds: Annotated[int, typer.Option(metavar="N", help="Runs of every setting, each from its own weights.")] = 3,
    seed: Annotated[int, typer.Option(metavar="S", help="The seed of the whole study.")] = 0,
    validation: Annotated[
        float | None, typer.Option(metavar="F", help="Fraction of the training rows that selects; a fifth by default.")
    ] = None,
    order: Annotated[
        str, typer.Option(metavar="reshuffle|fixed", help="A new order every epoch, or one.")
    ] = "reshuffle",
    target: Annotated[
        str | None, typer.Option(metavar="METRIC>=VALUE", help="Report the first step that meets this condition.")
    ] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(metavar="N", help="Evaluate every N steps too, beside every epoch's end.")
    ] = None,
    diagnostics: Annotated[
        str, typer.Option(metavar="none|layers|all", help="What is recorded of gradients, updates and units.")
    ] = "none",
    runner: Annotated[
        str,
        typer.Option(
            metavar="auto|loop|population|compiled|processes",
            help="How members are trained: one by one, as one program (or that compiled), or on every core.",
        ),
    ] = "auto",
    explain: Annotated[
        bool, typer.Option("--explain", help="Say who would train how, and why; train nothing.")
    ] = False,
    device: Annotated[str, typer.Option(metavar="D", help="cpu, cuda, cuda:1, ...")] = "cpu",
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="Threads that torch uses, or how many processes.")
    ] = None,
    data_dir: DataDir = None,
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of this study; one that holds it already is continued."),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train every optimizer with every value tried, from the same weights on the same batches, and rank them."""
    from fallline.cli.printing import print_json, show, show_plan
    from fallline.errors import InputError

    if not problems:
        raise InputError("Name a problem: fallline compare digits. `fallline problems` lists them.")
    from fallline import api
    from fallline.study.values import parse_rates

    asked: dict[str, Any] = {
        "lrs": None if lr is None else parse_rates(lr),
        "vary": _varied(vary or []),
        "schedules": schedule,
        "penalise": penalise,
        "batch_sizes": None if batch_size is None else _whole_numbers(batch_size, "--batch-size"),
        "epochs": epochs,
        "steps": steps,
        "seeds": seeds,
        "seed": seed,
        "validation": validation,
        "order": order,
        "target": target,
        "evaluate_every": evaluate_every,
        "diagnostics": diagnostics,
        "runner": runner,
        "device": device,
        "threads": threads,
        "data_dir": data_dir,
        "command": shlex.join(["fallline", *sys.argv[1:]]),
    }
    if explain:
        plan = api.plan(problems, optimizer or api.CLASSICAL, **asked)
        print_json({"plan": plan.to_json()}) if json else show_plan(plan)
        return
    results = api.compare(problems, optimizer or api.CLASSICAL, store=store, progress=not quiet, **asked)
    if json:
        print_json(results.to_json())
    else:
        show(results)


def _varied(given: list[str]) -> dict[str, list[str]]:
    from fallline.errors import InputError, shown

    varied = {}
    for item in given:
        name, equals, values = item.partition("=")
        if not equals or not values:
            raise InputError(f"--vary must be KEY=A,B,...; got {shown(item)}.")
        if name in varied:
            raise InputError(f"--vary gives {name} twice; write all its values at once: --vary {name}=A,B,...")
        varied[name] = values.split(",")
    return varied


def _whole_numbers(text: str, option: str) -> list[int]:
    from fallline.errors import InputError, shown

    try:
        return [int(item) for item in text.split(",")]
    except ValueError:
        raise InputError(f"{option} must be whole numbers separated by commas; got {shown(text)}.") from None

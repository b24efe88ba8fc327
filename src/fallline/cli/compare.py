"""`fallline compare`."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fallline.cli.options import OPTIMIZER_HELP, DataDir, Json, Quiet

if TYPE_CHECKING:
    from fallline.api import Results
    from fallline.study.plan import Plan


BESIDE_A_FILE = ("store", "runner", "threads", "data_dir", "explain", "quiet", "json")
"""What may be given beside --study: how its study is trained and shown, which is no part of it."""


def compare(
    context: typer.Context,
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
    protocol: Annotated[
        str, typer.Option(metavar="full|sweep", help="Search, then reruns of what was chosen and a verdict; or search.")
    ] = "full",
    seeds: Annotated[int, typer.Option(metavar="N", help="Runs of every setting in the search.")] = 3,
    final_seeds: Annotated[
        int, typer.Option(metavar="N", help="Reruns of what was chosen, on fresh seeds; these alone are reported.")
    ] = 10,
    search: Annotated[
        str, typer.Option(metavar="grid|random|sobol|halton", help="How values are searched in ranges.")
    ] = "grid",
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Values that a range is cut into, or settings drawn; 7 by default.")
    ] = None,
    tuning_repeats: Annotated[
        int, typer.Option(metavar="N", help="Repeats of search and reruns, each on other seeds.")
    ] = 1,
    extra_trials: Annotated[
        int, typer.Option(metavar="N", help="Trials more for every optimizer where a best value is at an edge.")
    ] = 0,
    seed: Annotated[int, typer.Option(metavar="S", help="The seed of the whole study.")] = 0,
    validation: Annotated[
        float | None, typer.Option(metavar="F", help="Fraction of the training rows that selects; a fifth by default.")
    ] = None,
    order: Annotated[
        str, typer.Option(metavar="reshuffle|fixed", help="A new order every epoch, or one.")
    ] = "reshuffle",
    target: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC>=VALUE|LABEL",
            help="Report the time to this condition; an optimizer's label stands for the median that it ends with.",
        ),
    ] = None,
    evaluate_every: Annotated[
        int | None, typer.Option(metavar="N", help="Evaluate every N steps too, beside every epoch's end.")
    ] = None,
    diagnostics: Annotated[
        str, typer.Option(metavar="none|layers|all", help="What is recorded of gradients, updates and units.")
    ] = "none",
    speed: Annotated[
        bool | None,
        typer.Option(
            "--speed/--no-speed",
            help="Measure the seconds of a step, in short runs of each winner alone; done where the full protocol has "
            "a target.",
            show_default=False,
        ),
    ] = None,
    runner: Annotated[
        str,
        typer.Option(
            metavar="auto|loop|population|compiled|processes",
            help="How members are trained: one by one, as one program (or that compiled), or on every core.",
        ),
    ] = "auto",
    study: Annotated[
        Path | None,
        typer.Option(
            "--study",
            metavar="FILE.toml",
            help="A TOML file that says all that is compared, in place of arguments and options.",
        ),
    ] = None,
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
    """Tune every optimizer with as many trials, train what was chosen again on fresh seeds, and judge all pairs."""
    from fallline.errors import InputError

    how: dict[str, Any] = {
        "runner": runner,
        "threads": threads,
        "data_dir": data_dir,
        "command": shlex.join(["fallline", *sys.argv[1:]]),
    }
    if study is not None:
        _refuse_beside_a_file(context)
        from fallline import api

        if explain:
            _explain(api.study_of_file(study, **how).plan, json)
            return
        _show(api.compare_file(study, store=store, progress=not quiet, **how), json)
        return
    if not problems:
        raise InputError("Name a problem: fallline compare digits. `fallline problems` lists them.")
    from fallline import api
    from fallline.study.defaults import CLASSICAL
    from fallline.study.values import parse_rates

    asked: dict[str, Any] = {
        "lrs": None if lr is None else parse_rates(lr),
        "vary": _varied(vary or []),
        "schedules": schedule,
        "penalise": penalise,
        "batch_sizes": None if batch_size is None else _whole_numbers(batch_size, "--batch-size"),
        "epochs": epochs,
        "steps": steps,
        "protocol": protocol,
        "seeds": seeds,
        "final_seeds": final_seeds,
        "search": search,
        "trials": trials,
        "tuning_repeats": tuning_repeats,
        "extra_trials": extra_trials,
        "seed": seed,
        "validation": validation,
        "order": order,
        "target": target,
        "evaluate_every": evaluate_every,
        "diagnostics": diagnostics,
        "speed": speed,
        "device": device,
    }
    if explain:
        _explain(api.plan(problems, optimizer or CLASSICAL, **asked, **how), json)
        return
    chosen = optimizer or CLASSICAL
    _show(api.compare(problems, chosen, store=store, progress=not quiet, **asked, **how), json)


def _explain(plan: "Plan", json: bool) -> None:
    from fallline.cli.printing import print_json, show_plan

    print_json({"plan": plan.to_json()}) if json else show_plan(plan)


def _show(results: "Results", json: bool) -> None:
    from fallline.cli.printing import print_json, show

    print_json(results.to_json()) if json else show(results)


def _refuse_beside_a_file(context: typer.Context) -> None:
    """Raise InputError for what a study file says itself."""
    from fallline.errors import InputError

    spelled = {
        parameter.name: parameter.opts[0] if parameter.param_type_name == "option" else str(parameter.metavar)
        for parameter in context.command.params
        if parameter.name is not None
    }
    given = [
        spelled[name]
        for name in context.params
        if name not in ("study", *BESIDE_A_FILE)
        and (source := context.get_parameter_source(name)) is not None
        and source.name == "COMMANDLINE"
    ]
    if given:
        raise InputError(
            f"--study says all that is compared, so {', '.join(given)} cannot be given beside it: write it in the "
            f"file. Beside it stand {', '.join(spelled[name] for name in BESIDE_A_FILE)}."
        )


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

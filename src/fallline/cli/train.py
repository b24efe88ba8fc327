"""`fallline train`."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fallline.cli.options import DataDir, Json, Quiet

if TYPE_CHECKING:
    from fallline.fitted import Fitted


def train(
    problem: Annotated[
        str,
        typer.Argument(
            metavar="PROBLEM",
            help="Built-in name (with options: mnist:hidden=500), path/to/file.py:name or package.module:name.",
        ),
    ],
    optimizer: Annotated[
        str,
        typer.Option(
            "--optimizer",
            "-o",
            metavar="NAME[:key=value,...]",
            help="Optimizer: a name, file.py:Class or package.Class, and one value of each hyperparameter.",
        ),
    ] = "adam",
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Epochs; the problem's own or 10 by default.")] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Updates, instead.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="Batch size; the problem's own or 64 by default.")
    ] = None,
    schedule: Annotated[
        str, typer.Option(metavar="NAME[:key=value,...]", help="Learning-rate schedule: cosine:warmup=0.1, ...")
    ] = "constant",
    factors: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="KEY=VALUE", help="A factor: dropout=0.5, l1=1e-5, ... May be repeated."),
    ] = None,
    patience: Annotated[
        float | None,
        typer.Option(metavar="E", help="Stop after so many epochs without a lower validation loss; keep the best."),
    ] = None,
    penalise: Annotated[
        str, typer.Option(metavar="weights|all|FILE.py:RULE", help="Which parameters l1, l2 and decay act on.")
    ] = "weights",
    validation: Annotated[
        float | None, typer.Option(metavar="F", help="Fraction of the training rows held out; a fifth by default.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="The seed of weights, batches and split.")] = 0,
    order: Annotated[
        str, typer.Option(metavar="reshuffle|fixed", help="A new order every epoch, or one.")
    ] = "reshuffle",
    evaluate_every: Annotated[
        int | None, typer.Option(metavar="N", help="Evaluate every N steps too, beside every epoch's end.")
    ] = None,
    checkpoint_every: Annotated[
        str | None, typer.Option(metavar="N|30s|5min", help="Steps or time between checkpoints; 30s by default.")
    ] = None,
    device: Annotated[str, typer.Option(metavar="D", help="cpu, cuda, cuda:1, ...")] = "cpu",
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads that torch uses.")] = None,
    data_dir: DataDir = None,
    store: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of this training; one that holds it already is continued."),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train one model, with checkpoints: interrupted at any moment, the same command with --store goes on."""
    from fallline.fitted import fit

    fitted = fit(
        problem,
        optimizer,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        schedule=schedule,
        factors=_factors(factors or []),
        patience=patience,
        penalise=penalise,
        validation=validation,
        seed=seed,
        order=order,  # type: ignore[arg-type]
        evaluate_every=evaluate_every,
        checkpoint_every=checkpoint_every,
        device=device,
        threads=threads,
        data_dir=data_dir,
        store=store,
        progress=not quiet,
        command=shlex.join(["fallline", *sys.argv[1:]]),
    )
    show_fit(fitted, json)


def show_fit(fitted: "Fitted", json: bool) -> None:
    """The summary and a picture of the curves, or the JSON document."""
    from fallline.cli.printing import print_json

    if json:
        print_json(fitted.to_json())
    else:
        fitted.plot(fitted.folder / "curves.png")
        fitted.table()


def _factors(given: list[str]) -> dict[str, str]:
    from fallline.errors import InputError, shown

    factors: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not value:
            raise InputError(f"--with must be KEY=VALUE, such as dropout=0.5; got {shown(item)}.")
        if name in factors:
            raise InputError(
                f"--with {name} is given twice; `fallline compare --vary {name}=A,B` tries several values."
            )
        factors[name] = value
    return factors

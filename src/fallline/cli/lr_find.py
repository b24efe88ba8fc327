"""`fallline lr-find`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from fallline.cli.options import DataDir, Json, Quiet

AROUND = 3.0


def lr_find(
    problem: Annotated[
        str, typer.Argument(metavar="PROBLEM", help="Built-in name, path/to/file.py:name or package.module:name.")
    ],
    optimizer: Annotated[
        str,
        typer.Option(
            "--optimizer", "-o", metavar="NAME[:key=value,...]", help="Optimizer without lr: a name or file.py:Class."
        ),
    ] = "adam",
    low: Annotated[float, typer.Option(metavar="RATE", help="The lowest rate that is tried.")] = 1e-6,
    high: Annotated[float, typer.Option(metavar="RATE", help="The highest.")] = 10.0,
    steps: Annotated[int, typer.Option(metavar="N", help="Updates of each short training.")] = 200,
    batch_size: Annotated[int | None, typer.Option(metavar="N", help="Batch size; 64 by default.")] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="The seed of weights and batches.")] = 0,
    device: Annotated[str, typer.Option(metavar="D", help="cpu, cuda, cuda:1, ...")] = "cpu",
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads that torch uses.")] = None,
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The picture: .png, .pdf or .svg.")] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Suggest a learning rate, from a ramp of rates and short trainings, or say why none can be suggested."""
    from fallline import api
    from fallline.cli.printing import print_json
    from fallline.files import file_name
    from fallline.report.canvas import ending

    if out is not None:
        ending(out)
    found = api.lr_find(
        problem,
        optimizer,
        low=low,
        high=high,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        device=device,
        threads=threads,
        data_dir=data_dir,
        say=None if quiet else lambda message: print(message, file=sys.stderr),
    )
    picture = out or Path(f"lr-find-{file_name(found.problem)}.png")
    if out is not None or not json:
        found.plot(picture)
    if json:
        print_json(found.to_json())
        return
    told = "no suggestion" if found.suggestion is None else f"learning rate {found.suggestion:g}"
    print(f"{found.optimizer} on {found.problem}: {told}")
    print(found.reason)
    print(f"Picture: {picture}")
    if found.suggestion is not None:
        print(f"Next:    {_next(found.suggestion, problem, optimizer, batch_size, data_dir)}")


def _next(suggestion: float, problem: str, optimizer: str, batch_size: int | None, data_dir: Path | None) -> str:
    """The command that compares rates around the suggestion, with seeds."""
    rates = f"lr={suggestion / AROUND:.2g}..{suggestion * AROUND:.2g}"
    joint = "," if "=" in optimizer.rpartition(":")[2] else ":"
    options = {"--batch-size": batch_size, "--data-dir": data_dir}
    given = [word for option, value in options.items() if value is not None for word in (option, str(value))]
    return shlex.join(["fallline", "compare", problem, "-o", f"{optimizer}{joint}{rates}", *given])

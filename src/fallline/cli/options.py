"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Folder that already holds the data files (or FALLLINE_DATA)."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else there.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
OPTIMIZER_HELP = (
    "Optimizer: a name, file.py:Class or package.Class, then :key=value,...; "
    "a value may be a list a|b|c or a range low..high. May be repeated."
)

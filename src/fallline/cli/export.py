"""`fallline export`."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a study, finished or not.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the files; `export` in that of the study by default.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there already.")] = False,
) -> None:
    """Write a study's members and curves as CSV, and its specification as a file for `compare --study`."""
    from fallline import api
    from fallline.report.words import counted
    from fallline.study.toml import nameless

    results = api.results(folder)
    for path in results.export(out, overwrite=overwrite):
        print(path)
    ended, planned = len(results.records), results.planned
    print(f"{counted(ended, 'member')}{'' if ended == planned else f' of {planned}, which is so far'}.")
    if made := nameless(results.specification):
        print(f"{', '.join(made)}: made in Python, so study.toml must be given a name to find it by.")

"""`fallline report`."""

from pathlib import Path
from typing import Annotated

import typer

from fallline.cli.options import Json


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Folders of studies, finished or not; several are taken as one study."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the report; the study's own, of several a new one under runs/."),
    ] = None,
    json: Json = False,
) -> None:
    """Print a study's table and write its report and pictures anew, without training.

    Several studies are merged: those of the same problems, with the same metrics, budget and seeds.
    """
    from fallline import api
    from fallline.cli.printing import STORE, print_json, show
    from fallline.errors import InputError
    from fallline.study.folders import new_folder

    if out is not None and len(folders) > 1 and (out / STORE).exists():
        raise InputError(f"{out} is a study's folder, whose own report would be lost; choose another with --out.")
    results = api.results(folders[0]) if len(folders) == 1 else api.merged(folders)
    if not results.records:
        raise InputError(f"No member of the study in {folders[0]} has ended yet: fallline resume {folders[0]}")
    if json:
        print_json(results.to_json())
    elif len(folders) == 1:
        show(results, out)
    else:
        show(results, out or new_folder(f"{results.specification.problems[0].name}-merged"))

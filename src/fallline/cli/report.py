"""`fallline report`."""

from pathlib import Path
from typing import Annotated

import typer

from fallline.cli.options import Json


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of studies, finished or not.")],
    json: Json = False,
) -> None:
    """Print a study's table and write its report and pictures anew, without training."""
    from fallline import api
    from fallline.cli.printing import print_json, show
    from fallline.errors import InputError

    if json and len(folders) > 1:
        raise InputError("--json prints one document: name one folder.")
    for folder in folders:
        results = api.results(folder)
        if not results.records:
            raise InputError(f"No member of the study in {folder} has ended yet: fallline resume {folder}")
        if json:
            print_json(results.to_json())
        else:
            show(results)

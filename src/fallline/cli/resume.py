"""`fallline resume`."""

from pathlib import Path
from typing import Annotated

import typer

from fallline.cli.options import DataDir, Json, Quiet


def resume(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder of a study or training that was interrupted.")
    ],
    data_dir: DataDir = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train what is missing in a study or training; every curve is as if nothing had happened."""
    from fallline import api
    from fallline.cli.printing import print_json, show
    from fallline.cli.train import show_fit
    from fallline.fitted import Fitted

    results = api.resume(folder, data_dir=data_dir, progress=not quiet)
    if isinstance(results, Fitted):
        show_fit(results, json)
    elif json:
        print_json(results.to_json())
    else:
        show(results)

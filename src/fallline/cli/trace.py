"""`fallline trace`."""

from pathlib import Path
from typing import Annotated

import typer

from fallline.cli.options import Json


def trace(
    surface: Annotated[
        str, typer.Argument(metavar="SURFACE", help="quadratic, rosenbrock, beale, himmelblau or saddle.")
    ],
    optimizer: Annotated[
        str,
        typer.Option("--optimizer", "-o", metavar="NAME[:key=value,...]", help="A rule: a name or file.py:Class."),
    ],
    start: Annotated[str | None, typer.Option(metavar="X,Y", help="Where the path begins.")] = None,
    steps: Annotated[int, typer.Option(metavar="N", help="The number of updates.")] = 20,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The picture: .png, .pdf or .svg.")] = None,
    json: Json = False,
) -> None:
    """Follow a rule on a surface of two variables: a contour picture with the path, or the points as JSON."""
    from fallline.cli.printing import print_json
    from fallline.problems import surface as surface_of
    from fallline.study.parsing import single_rule
    from fallline.training import trace as path_of

    where = surface_of(surface)
    rule, label = single_rule(optimizer)
    path = path_of(where, rule, _point(start), steps)
    picture = out if out is not None or json else Path(f"trace-{surface}.png")
    if picture is not None:
        from fallline.report import figures

        figures.save_trace(path, where, label, picture)
    if json:
        finite = [[x if abs(x) < float("inf") else None for x in point] for point in path.tolist()]
        print_json({"surface": surface, "rule": label, "path": finite})
        return
    x1, x2 = path[-1]
    print(f"{label} on {surface}: after {steps} steps at ({x1:.6f}, {x2:.6f})")
    print(f"Picture: {picture}")


def _point(text: str | None) -> tuple[float, float] | None:
    from fallline.errors import InputError, shown

    if text is None:
        return None
    try:
        x1, x2 = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"--start must be two numbers X,Y; got {shown(text)}.") from None
    return x1, x2

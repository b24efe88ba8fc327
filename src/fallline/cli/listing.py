"""`fallline problems`."""

from typing import Any

from fallline.cli.options import Json


def problems(json: Json = False) -> None:
    """List the built-in problems and surfaces, and what every problem can be trained with."""
    import inspect

    from rich.console import Console
    from rich.table import Table

    from fallline.cli.printing import print_json
    from fallline.problems import BUILT_IN, SURFACES
    from fallline.schedules import BUILT_IN as SCHEDULES
    from fallline.training.treatments import TREATMENTS

    entries: list[dict[str, Any]] = [
        {
            "name": name,
            "options": {p.name: p.default for p in inspect.signature(make).parameters.values() if p.name != "data_dir"},
            "what": (inspect.getdoc(make) or "").split("\n")[0],
        }
        for name, make in BUILT_IN.items()
    ]
    if json:
        treatments = {name: treatment.says for name, treatment in TREATMENTS.items()}
        print_json(
            {"problems": entries, "surfaces": list(SURFACES), "treatments": treatments, "schedules": list(SCHEDULES)}
        )
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("problem", "options", "what it is"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        told = ", ".join(f"{key}={value}" for key, value in entry["options"].items())
        table.add_row(entry["name"], told, entry["what"])
    console = Console()
    console.print(table)
    console.print(f"Surfaces for `fallline trace`: {', '.join(SURFACES)}")
    console.print(
        f"Every problem can be varied by (`--vary NAME=A,B,...`): {', '.join(TREATMENTS)}; with cross-entropy by "
        "label_smoothing; digits, mnist and cubic by hidden, dropout and batch_norm."
    )
    console.print(f"Schedules (`--schedule`): {', '.join(SCHEDULES)}")
    console.print(
        "Your own: path/to/file.py:name or package.module:name, a fallline.Problem or a function that makes one."
    )

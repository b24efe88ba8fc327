"""What commands print at their end."""

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.api import Results


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, allow_nan=False)
    sys.stdout.write("\n")


def show(results: "Results") -> None:
    """The table, the report and pictures, and what to do next."""
    from fallline.report import figures, inside

    results.table()
    figures.save_curves(results, results.folder / "curves.png")
    figures.save_sensitivity(results, results.folder / "sensitivity.png")
    pictures = "curves.png, sensitivity.png"
    if inside.diagnosed(results):
        inside.save_layers(results, results.folder / "layers.png")
        pictures += ", layers.png"
        print("\nInside:", *inside.inside_notes(results, results.ranking), sep="\n- ")
    page = results.report()
    print()
    print(f"Report:  {page}")
    print(f"Store:   {results.folder} ({pictures}, study.sqlite, weights/)")
    if advice := results.next_command():
        print(f"Next:    {advice}")

"""What commands print at their end."""

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.api import Results
    from fallline.study.plan import Plan


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


def show_plan(plan: "Plan") -> None:
    """Who would train together, and why."""
    print(f"{plan.members} members, {plan.steps:,} steps.")
    for together in plan.populations:
        how = "compiled" if together.compiled else "captured"
        threads = f"{together.threads} thread{'s' * (together.threads > 1)}"
        print(f"- {len(together.members)} members train as one program, {how}, {threads}.")
    if others := len(plan.others()):
        print(f"- {others} members: {plan.runner}, {plan.threads} thread{'s' * (plan.threads > 1)}.")
    print("Because:", *plan.reasons, sep="\n- ")

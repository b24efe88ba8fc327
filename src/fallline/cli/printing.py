"""What commands print at their end."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.api import Results
    from fallline.study.plan import Plan


STORE = "study.sqlite"


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on standard output."""
    json.dump(document, sys.stdout, allow_nan=False)
    sys.stdout.write("\n")


def show(results: "Results", folder: Path | None = None) -> None:
    """The table, the report and pictures in a folder (by default the study's), and what to do next."""
    from fallline.report import figures, inside

    folder = folder or results.folder
    folder.mkdir(parents=True, exist_ok=True)
    results.table()
    figures.save_curves(results, folder / "curves.png")
    figures.save_sensitivity(results, folder / "sensitivity.png")
    pictures = "curves.png, sensitivity.png"
    if inside.diagnosed(results):
        inside.save_layers(results, folder / "layers.png")
        pictures += ", layers.png"
        print("\nInside:", *inside.inside_notes(results, results.ranking), sep="\n- ")
    page = results.report(folder / "report.html")
    print()
    print(f"Report:  {page}")
    if (folder / STORE).is_file():
        print(f"Store:   {folder} ({pictures}, {STORE}, weights/)")
    else:
        print(f"Beside:  {pictures}")
    if advice := results.next_command():
        print(f"Next:    {advice}")


def show_plan(plan: "Plan") -> None:
    """Who would train together, and why."""
    print(f"{plan.all_members} members, {plan.all_steps:,} steps.")
    if plan.members_to_come:
        print(
            f"First the search: {plan.members} members, {plan.steps:,} steps. Then what it chose is trained again: "
            f"{plan.members_to_come} members, {plan.steps_to_come:,} steps, planned when they are known."
        )
    for together in plan.populations:
        how = "compiled" if together.compiled else "captured"
        threads = f"{together.threads} thread{'s' * (together.threads > 1)}"
        print(f"- {len(together.members)} members train as one program, {how}, {threads}.")
    if others := len(plan.others()):
        print(f"- {others} members: {plan.runner}, {plan.threads} thread{'s' * (plan.threads > 1)}.")
    print("Because:", *plan.reasons, sep="\n- ")

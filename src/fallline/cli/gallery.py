"""`fallline gallery`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fallline.cli.options import DataDir, Json, Quiet

if TYPE_CHECKING:
    from fallline.gallery.entry import Exhibit


def gallery(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Entries to run; none lists them.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Run every entry.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for pictures and studies.")] = Path("gallery"),
    data_dir: DataDir = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run classic experiments, what is measured beside what was published. Exits with 1 where a check fails."""
    from fallline.cli.printing import print_json
    from fallline.errors import InputError
    from fallline.gallery import CHAPTERS, ENTRIES, Setting, run_entry

    if names and all:
        raise InputError(f"Give names or --all, not both; got {', '.join(names)} beside --all.")
    if not names and not all:
        if json:
            print_json({"entries": [{"name": name, "title": entry.title} for name, entry in ENTRIES.items()]})
            return
        width = max(map(len, ENTRIES))
        for chapter, entries in CHAPTERS.items():
            print(chapter)
            for entry in entries:
                print(f"  {entry.name:{width}}  {entry.title}")
        print("\nRun some: fallline gallery NAME ...    all of them: fallline gallery --all")
        return
    setting = Setting(folder=out, data_dir=data_dir)
    outcomes = []
    for name in list(ENTRIES) if all else names or []:
        outcome = run_entry(name, setting)
        outcomes.append(outcome)
        if not json:
            _print(outcome, quiet)
    all_hold = min(outcome.passed for outcome in outcomes)
    if json:
        print_json({"entries": [outcome.to_json() for outcome in outcomes]})
    else:
        passed = sum(outcome.passed for outcome in outcomes)
        print(f"{passed} of {len(outcomes)} entries hold. Pictures and studies: {out}")
    if not all_hold:
        raise typer.Exit(1)


def _print(outcome: "Exhibit", quiet: bool) -> None:
    print(f"{'PASS' if outcome.passed else 'FAIL'}  {outcome.name}: {outcome.title}  ({outcome.seconds:.1f} s)")
    for check in outcome.checks:
        if not quiet or not check.passed:
            mark = "ok  " if check.passed else "FAIL"
            print(f"      {mark}  {check.what}: {check.measured} (expected {check.expected})")
    if not quiet:
        print(f"      {outcome.says}")
        print(f"      {outcome.picture}")

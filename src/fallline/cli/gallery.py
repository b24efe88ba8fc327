"""`fallline gallery`."""

from pathlib import Path
from typing import Annotated

import typer

from fallline.cli.options import DataDir, Json, Quiet


def gallery(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Entries to run; none lists them.")] = None,
    all: Annotated[bool, typer.Option("--all", help="Run every entry.")] = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for pictures and studies.")] = Path("gallery"),
    data_dir: DataDir = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run classic experiments and hold what is measured against what was published. Exits with 1 where a check fails."""
    from fallline.cli.printing import print_json
    from fallline.gallery import ENTRIES, Setting, run_entry

    if not names and not all:
        if json:
            print_json({"entries": [{"name": name, "title": entry.title} for name, entry in ENTRIES.items()]})
            return
        width = max(map(len, ENTRIES))
        for name, entry in ENTRIES.items():
            print(f"{name:{width}}  {entry.title}")
        print("\nRun some: fallline gallery NAME ...    all of them: fallline gallery --all")
        return
    setting = Setting(folder=out, data_dir=data_dir)
    outcomes = []
    for name in list(ENTRIES) if all else names or []:
        outcome = run_entry(name, setting)
        outcomes.append(outcome)
        if not json:
            _print(outcome, quiet)
    if json:
        print_json({"entries": [outcome.to_json() for outcome in outcomes]})
    else:
        passed = sum(outcome.passed for outcome in outcomes)
        print(f"{passed} of {len(outcomes)} entries hold. Pictures and studies: {out}")
    if not all_passed(outcomes):
        raise typer.Exit(1)


def all_passed(outcomes: list) -> bool:  # type: ignore[type-arg]
    """Whether every check of every entry holds."""
    return bool(outcomes) and min(outcome.passed for outcome in outcomes)


def _print(outcome, quiet: bool) -> None:  # type: ignore[no-untyped-def]
    print(f"{'PASS' if outcome.passed else 'FAIL'}  {outcome.name}: {outcome.title}  ({outcome.seconds:.1f} s)")
    for check in outcome.checks:
        if not quiet or not check.passed:
            print(f"      {'ok  ' if check.passed else 'FAIL'}  {check.what}: {check.measured} (expected {check.expected})")
    if not quiet:
        print(f"      {outcome.says}")
        print(f"      {outcome.picture}")

"""`fallline optimizers`."""

import textwrap
from typing import Annotated, Any

import typer

from fallline.cli.options import Json

_ACROSS = 100


def optimizers(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them in full, with its formula.")] = None,
    json: Json = False,
) -> None:
    """List the built-in optimizers and wrappers: hyperparameters, search space, state, what each supports, source."""
    from fallline.cli.printing import print_json
    from fallline.study.catalogue import catalogue, described, wrappers

    if name is not None:
        entry = described(name)
        if json:
            print_json(entry)
        else:
            _print_whole(entry)
        return
    rules, around = catalogue(runners=json), wrappers(runners=json)
    if json:
        print_json({"optimizers": rules, "wrappers": around})
        return
    width = 2 + max(len(entry["name"]) for entry in (*rules, *around))
    for entry in rules:
        _print_short(entry, width)
    print("\nWrappers, around any optimizer, such as fl.wrappers.Clip(fl.rules.Adam(), norm=1.0):\n")
    for entry in around:
        _print_short(entry, width)
    print("\nOne in full, with its formula: fallline optimizers NAME.")
    print("Your own: file.py:Class or package.Class, a fallline Rule or any torch.optim.Optimizer.")


def _print_short(entry: dict[str, Any], width: int) -> None:
    from fallline.study.facts import facts

    told = (f"{heading}: {sentence}" for heading, sentence in facts(entry).items())
    lines = [entry["source"], _fields(entry), *told]
    for number, line in enumerate(filter(None, lines)):
        head = entry["name"] if number == 0 else ""
        print(textwrap.fill(line, _ACROSS, initial_indent=f"{head:{width}}", subsequent_indent=" " * width))


def _print_whole(entry: dict[str, Any]) -> None:
    from fallline.study.facts import facts

    print(f"{entry['name']}, {entry['class']}\n")
    for paragraph in (entry["source"], *entry["notes"]):
        print(textwrap.fill(paragraph, _ACROSS) + "\n")
    for line in filter(
        None, (_fields(entry), *(f"{heading}: {sentence}" for heading, sentence in facts(entry).items()))
    ):
        print(textwrap.fill(line, _ACROSS, subsequent_indent="  "))
    print(f"\n{entry['formula']}")


def _fields(entry: dict[str, Any]) -> str:
    """Every hyperparameter with its default, what it may be, and what a study tries of it."""
    from fallline.study.facts import hyperparameter

    searched = entry.get("search", {})
    told = []
    for name, field in entry["hyperparameters"].items():
        tried = f"; searched {searched[name][0]:g}..{searched[name][1]:g}" if name in searched else ""
        told.append(f"{name}={field['default']} ({hyperparameter(field)}{tried})")
    return ", ".join(told)

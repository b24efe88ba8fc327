"""The comparison over several problems as a table for the terminal."""

from collections.abc import Iterator, Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fallline.report.colors import Look
from fallline.report.words import listed, number, quantity_text
from fallline.statistics import LEVEL, Interval, ProblemRatio
from fallline.study.across_problems import AcrossProblems


def print_across(found: AcrossProblems, styles: Mapping[str, Look], console: Console) -> None:
    """Print mean ranks, and losses as multiples of those of the first, with what these intervals are worth beneath."""
    first = found.entrants[0].label
    console.print(Text.assemble((f"Across {len(found.problems)} problems", "bold"), f": {listed(found.problems)}"))
    console.print()
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("optimizer", overflow="fold", max_width=40)
    table.add_column("mean rank", overflow="fold")
    if found.ratios:
        table.add_column(f"loss as a multiple\nof {first}'s", overflow="fold", max_width=40)
    for entrant, rank in zip(found.entrants, found.ranks, strict=True):
        ratio = found.between(entrant.label, first)
        table.add_row(
            Text(entrant.label, style=f"bold {styles[entrant.optimizer].color}"),
            f"{rank.estimate:.2f} {_bounds(rank, 2)}",
            *([Text("1" if ratio is None else ratio_text(ratio))] if found.ratios else []),
        )
    console.print(table)
    console.print()
    notes = Table.grid(padding=(0, 1, 0, 0))
    for note in across_notes(found):
        notes.add_row("-", Text(note))
    console.print(notes)
    console.print()


def ratio_text(ratio: ProblemRatio) -> str:
    """The typical factor with its interval.

    >>> ratio_text(ProblemRatio(0.5, Interval(0.5, 0.25, 1.0, 0.75)))
    '0.500 [0.250, 1.00]'
    """
    return f"{number(ratio.interval.estimate)} {_bounds(ratio.interval)}"


def across_notes(found: AcrossProblems) -> Iterator[str]:
    """What the numbers are of, and what the brackets are worth."""
    by_quantity: dict[str, list[str]] = {}
    for problem, quantity in found.quantities.items():
        by_quantity.setdefault(quantity_text(quantity), []).append(problem)
    told = [f"{quantity} on {listed(problems)}" for quantity, problems in by_quantity.items()]
    yield f"Of the medians in the tables above: {listed(told)}."
    yield (
        f"Ranks: [..] are {100 * found.ranks[0].level:.3g} % intervals that hold for any distribution. A rank depends "
        "on who else takes part, so ranks decide nothing between two."
    )
    if not found.ratios:
        yield "No multiples: a loss is 0 or below, of which a ratio says nothing."
        return
    level = found.ratios[0].ratio.interval.level
    worth = "" if level >= LEVEL else f", which is all that {len(found.problems)} problems are worth"
    yield (
        f"Multiples: the typical factor over problems; [..] from the signed-rank test, each at a level of "
        f"{100 * level:.3g} %{worth}."
    )


def _bounds(interval: Interval, places: int | None = None) -> str:
    return f"[{number(interval.low, places)}, {number(interval.high, places)}]"

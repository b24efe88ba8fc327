"""The ranking of a study as a table for the terminal."""

import io
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from fallline.report.across import print_across
from fallline.report.colors import Look, looks
from fallline.report.notes import ranking_notes, unfinished_note
from fallline.report.panels import condition
from fallline.report.verdicts import verdict_notes
from fallline.report.words import (
    counted,
    decimals,
    interval_text,
    quantity_text,
    setting_parts,
    setting_text,
)
from fallline.study import Row, StudyResults
from fallline.study.target import Target

STEPS = "steps to target"


@dataclass(frozen=True)
class _Layout:
    """How much a table shows and how: intervals and values beside or beneath, what is left out, room between."""

    beneath: bool
    trials: bool
    left_out: frozenset[str]
    padding: int


def print_ranking(results: StudyResults, console: Console | None = None) -> None:
    """Print the ranking, best first, one table per problem, with what a reader must know beneath.

    The table takes the widest form that the console has room for; 80 columns are enough, 100 comfortable.
    """
    console = console or Console(highlight=False)
    if note := unfinished_note(results):
        console.print(Text(note, style="bold yellow"))
        console.print()
    styles = looks(optimizer.label for optimizer in results.specification.optimizers)
    for problem in dict.fromkeys(row.problem for row in results.ranking):
        _print_problem(results, problem, styles, console)
    if results.across_problems is not None:
        print_across(results.across_problems, styles, console)


def ranking_text(results: StudyResults, width: int = 100) -> str:
    """The ranking as plain text without colours."""
    file = io.StringIO()
    print_ranking(results, Console(file=file, width=width, color_system=None, force_terminal=False))
    return "\n".join(line.rstrip() for line in file.getvalue().split("\n"))


def places(rows: Sequence[Row]) -> list[int]:
    """The place of each row: equal results, the diverged among them, share one."""
    return [1 + sum(other.score < row.score for other in rows) for row in rows]


def reported(rows: Sequence[Row], gap: bool = True) -> list[str]:
    """The quantities reported with intervals: loss and metrics on test data, or the best there is; and the gap."""
    known = [n for n in dict.fromkeys(name for row in rows for name in row.intervals) if gap or not n.endswith("_gap")]
    names = dict.fromkeys(name.partition("_")[2] for name in known)
    best = [
        next(f"{split}_{name}" for split in ("test", "validation", "train") if f"{split}_{name}" in known)
        for name in names
    ]
    return sorted(best, key=lambda name: (not name.endswith("_loss"), not name.endswith("_gap")))


def quantity_cells(rows: Sequence[Row], quantity: str) -> list[tuple[str, str]]:
    """Median and interval of a quantity for each row, with decimals that suit the column."""
    # A gap is read beside its losses, with as many decimals.
    like = quantity.replace("_gap", "_loss")
    shown = decimals(row.intervals[like].median for row in rows if like in row.intervals)
    return [interval_text(row.intervals[quantity], shown) if quantity in row.intervals else ("-", "") for row in rows]


def steps_text(row: Row) -> str:
    """The steps to the target, and how many of the seeds met it."""
    steps = row.steps_to_target
    if steps is None:
        return ""
    median = f"{steps.median:.0f}" if math.isfinite(steps.median) else "-"
    return f"{median} ({steps.reached}/{steps.of})"


def _print_problem(results: StudyResults, problem: str, styles: dict[str, Look], console: Console) -> None:
    rows = [row for row in results.ranking if row.problem == problem]
    console.print(Text.assemble((problem, "bold"), f": {_budget(results, rows)}"))
    console.print()

    def fits(layout: _Layout) -> bool:
        table = _table(results, rows, styles, layout)
        return Measurement.get(console, console.options.update(width=10_000), table).maximum <= console.width

    layout = _widest(_wanted(results, rows), fits)
    console.print(_table(results, rows, styles, layout))
    console.print()
    notes = Table.grid(padding=(0, 1, 0, 0))
    for note in _notes(results, rows, layout):
        notes.add_row("-", Text(note))
    console.print(notes)
    _print_verdicts(results, problem, console)
    _print_winner(results, rows[0], console)


def _columns(results: StudyResults, rows: list[Row]) -> list[str]:
    """The quantities of the table; where conditions are compared the gap is one, after the loss."""
    return reported(rows, gap=any(condition(results, row) for row in rows))


def _widest(wanted: list[str], fits: Callable[[_Layout], bool]) -> _Layout:
    """The layout that shows most: all in one of four forms, or of what is wanted, in order, what still fits."""
    for beneath, trials, padding in product((False, True), (True, False), (2, 1)):
        if fits(whole := _Layout(beneath, trials, frozenset(), padding)):
            return whole
    layout = _Layout(beneath=True, trials=False, left_out=frozenset(wanted), padding=1)
    for column in wanted:
        if fits(more := replace(layout, left_out=layout.left_out - {column})):
            layout = more
    roomy = replace(layout, padding=2)
    return roomy if fits(roomy) else layout


def _wanted(results: StudyResults, rows: list[Row]) -> list[str]:
    """What can be left out where room is scarce, what is missed most first; never the loss.

    The steps to a target that was asked for, its metric or else the first one, then the gap; last what the problem
    brought along: its other metrics, and the steps to its own target.
    """
    _, *columns = _columns(results, rows)
    problem = next(p for p in results.specification.problems if p.name == rows[0].problem)
    target = Target.parse(problem.target) if problem.target is not None and problem.target_asked else None
    aim = None if target is None else target.quantity.partition("_")[2]
    gap = [name for name in columns if name.endswith("_gap")]
    metrics = sorted((name for name in columns if name not in gap), key=lambda name: name.partition("_")[2] != aim)
    steps = [STEPS] if _timed(rows) else []
    brought = [*metrics[:1], *gap, *metrics[1:]]
    return [*brought, *steps] if target is None else [*steps, *brought]


def _timed(rows: list[Row]) -> bool:
    return any(row.steps_to_target for row in rows)


def _table(results: StudyResults, rows: list[Row], styles: dict[str, Look], layout: _Layout) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, layout.padding, 0, 0), pad_edge=False, show_edge=False)
    conditions = [setting_parts(condition(results, row)) for row in rows]
    quantities = [name for name in _columns(results, rows) if name not in layout.left_out]
    table.add_column("#", justify="right")
    if layout.beneath:
        table.add_column("optimizer,\nbest values", overflow="fold", max_width=30)
    else:
        table.add_column("optimizer", overflow="fold", max_width=24)
        table.add_column("best values", overflow="fold", max_width=34)
    if any(conditions):
        table.add_column("with", overflow="fold", max_width=24)
    if rows[0].selected_on not in quantities:
        table.add_column(quantity_text(rows[0].selected_on).replace(" ", "\n"), justify="right")
    for quantity in quantities:
        heading = quantity_text(quantity)
        table.add_column(_broken(heading) if layout.beneath else heading, overflow="fold")
    table.add_column("di-\nverged", justify="right")
    timed = _timed(rows) and STEPS not in layout.left_out
    if timed:
        table.add_column("steps to\ntarget", justify="right")
    if layout.trials:
        table.add_column("trials", justify="right")
    joint = "\n" if layout.beneath else ", "
    cells = {quantity: quantity_cells(rows, quantity) for quantity in {*quantities, rows[0].selected_on}}
    for i, (place, row) in enumerate(zip(places(rows), rows, strict=True)):
        name = Text(row.optimizer, style=f"bold {styles[row.optimizer].color}")
        values = Text(joint.join(setting_parts(row.told)) or "as given")
        table.add_row(
            str(place),
            *([Text.assemble(name, "\n", values)] if layout.beneath else [name, values]),
            *([Text(joint.join(conditions[i]))] if any(conditions) else []),
            *([Text(cells[row.selected_on][i][0])] if row.selected_on not in quantities else []),
            *(Text(_cell(q, cells[q][i], layout)) for q in quantities),
            f"{row.diverged}/{row.members}",
            *([steps_text(row)] if timed else []),
            *([str(row.trials)] if layout.trials else []),
        )
    return table


def _broken(heading: str) -> str:
    """A heading in lines about as wide as the numbers beneath: the split, then the rest."""
    split, _, rest = heading.partition(" - " if " - " in heading else " ")
    return "\n".join([f"{split} -" if " - " in heading else split, *textwrap.wrap(rest, 12, break_long_words=False)])


def _cell(quantity: str, texts: tuple[str, str], layout: _Layout) -> str:
    """Median and interval; of a gap the median alone where room is scarce."""
    if not layout.beneath:
        return " ".join(filter(None, texts))
    return texts[0] if quantity.endswith("_gap") else "\n".join(filter(None, texts))


def _notes(results: StudyResults, rows: list[Row], layout: _Layout) -> Iterator[str]:
    yield from ranking_notes(results, rows)
    if not layout.trials and len({row.trials for row in rows}) == 1:
        yield f"{counted(rows[0].trials, 'trial')} for each."
    left_out = [quantity_text(name) for name in [*_columns(results, rows), STEPS] if name in layout.left_out]
    if left_out:
        yield f"Not shown for want of room: {', '.join(left_out)}."


def _print_verdicts(results: StudyResults, problem: str, console: Console) -> None:
    if told := verdict_notes(results, problem):
        console.print()
        console.print(Text("Verdict:", style="bold"))
        notes = Table.grid(padding=(0, 1, 0, 0))
        for note in told:
            notes.add_row("-", Text(note))
        console.print(notes)


def _print_winner(results: StudyResults, winner: Row, console: Console) -> None:
    console.print()
    if not math.isfinite(winner.score):
        console.print(Text(f"Every optimizer diverged on {winner.problem}: there is no best one.", style="bold"))
    else:
        told = setting_text(condition(results, winner))
        console.print(Text(f"The best, {winner.optimizer}{f' ({told})' if told else ''}, to paste:"))
        console.print(Text(results.paste_line(winner), style="bold"), soft_wrap=True)
    console.print()


def seeds_text(results: StudyResults, rows: list[Row]) -> str:
    """With how many seeds values were searched, and with how many what was chosen was trained again."""
    spec = results.specification
    if spec.protocol == "sweep":
        return counted(spec.seeds, "seed")
    again = f"{spec.final_seeds} to report" if results.searched else counted(spec.final_seeds, "seed")
    repeats = f", {spec.tuning_repeats} times" if spec.tuning_repeats > 1 else ""
    return f"{counted(spec.seeds, 'seed')} to choose and {again}{repeats}" if results.searched else f"{again}{repeats}"


def _budget(results: StudyResults, rows: list[Row]) -> str:
    spec = results.specification
    length = counted(spec.epochs, "epoch") if spec.epochs is not None else counted(spec.steps or 0, "step")
    sizes = {row.batch_size for row in rows}
    size = next(iter(sizes))
    batch = f", batch size {size}" if len(sizes) == 1 and size is not None else ""
    return f"{length}, {seeds_text(results, rows)}{batch}"

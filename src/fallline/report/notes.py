"""What a reader must know beside the numbers of a ranking, in sentences."""

import math
from collections.abc import Iterable, Iterator

from fallline.report.panels import condition
from fallline.report.search import search_note
from fallline.report.time_notes import time_notes
from fallline.report.words import counted, listed, quantity_text, setting_text
from fallline.study import Record, Row, StudyResults

CAUSES_SHOWN = 3


def unfinished_note(results: StudyResults) -> str | None:
    """That the study has not ended, and how far it got."""
    ended, planned = len(results.records), results.planned
    if ended >= planned:
        return None
    return f"Unfinished: {ended} of {planned} members have ended, so that values and order may still change."


def ranking_notes(results: StudyResults, rows: list[Row]) -> list[str]:
    """The notes under the rows of one problem: how chosen, what brackets mean, edges, divergences."""
    notes = [
        selection_note(rows),
        search_note(results.specification),
        further_note(results),
        interval_note(rows),
        target_note(rows),
        instance_note(results, rows),
    ]
    return [
        *(note for note in notes if note is not None),
        *time_notes((row_name(results, row), row) for row in rows),
        *edge_notes(results, rows),
        *trials_notes(results, rows),
        *divergence_notes(results, rows),
    ]


def selection_note(rows: list[Row]) -> str:
    """Which quantity chose the values and the order."""
    row = rows[0]
    chose = f"Values and order: least median {quantity_text(row.selected_on)}"
    if row.rerun and row.selection != row.winners:
        many = len(row.repeats) > 1
        runs, reruns = counted(len(row.selection), "run"), counted(len(row.repeats[0]), "rerun")
        chose = (
            f"Values: least median {quantity_text(row.selected_on)} of {runs} each. All that is reported, and the "
            f"order: {reruns} of them on seeds that chose nothing"
            + (
                f", {len(row.repeats)} times, each after a search of its own; of each the median. The line "
                "to paste has the values of the repeat whose search found the best"
                if many
                else ""
            )
        )
    elif row.rerun:
        chose = f"Order: least median {quantity_text(row.selected_on)}"
    if row.selected_on == "validation_loss":
        tested = any("test_loss" in row.intervals for row in rows)
        if tested:
            return f"{chose}; test data played no part."
        same = " Verdicts rest on the rows that chose the values." if row.rerun and row.selection != row.winners else ""
        return f"{chose}. There are no test data.{same}"
    return (
        f"{chose}, because nothing was held out. "
        "This says how well the data were fitted, not how well new data would be predicted."
    )


def further_note(results: StudyResults) -> str | None:
    """That every optimizer got trials beside those of the search; None where it was not so."""
    # The stages behind the search are the further trials and the reruns, or the reruns alone.
    if len(results.plan.get("later", ())) < 2:
        return None
    count = counted(results.specification.extra_trials, "further trial")
    return f"A best value was at the edge of what was searched: {count} for each, which may lie beyond it."


def interval_note(rows: list[Row]) -> str:
    """What the brackets are worth."""
    counts = sorted({len(row.results(row.selected_on)) for row in rows})
    unit = rows[0].unit
    if counts == [1]:
        return "One seed: no interval can be given, and a difference may be chance."
    parts = []
    for count in counts:
        row = next(row for row in rows if len(row.results(row.selected_on)) == count)
        level = row.intervals[row.selected_on].level
        if count == 1:
            parts.append("none for one seed")
        elif math.isclose(level, full_range_level(count)):
            parts.append(f"least to largest of {count} {unit}s, a {percent(level)} interval of the median")
        else:
            parts.append(f"a {percent(level)} interval of the median of {count} {unit}s, by order statistics")
    return f"[..]: {'; '.join(parts)}."


def target_note(rows: list[Row]) -> str | None:
    """What a step to the target is."""
    target = rows[0].target
    if target is not None and target.target is None:
        return f"Target {target.words}."
    steps = next((row.steps_to_target for row in rows if row.steps_to_target is not None), None)
    if steps is None:
        return None
    return f"Steps to target: first evaluation with {steps.target}, median (seeds that met it)."


def instance_note(results: StudyResults, rows: list[Row]) -> str | None:
    """That all seeds began with the same weights."""
    problem = next(p for p in results.specification.problems if p.name == rows[0].problem)
    if not problem.one_start:
        return None
    return "The model was given as an instance: every seed began with its weights."


def edge_notes(results: StudyResults, rows: Iterable[Row]) -> Iterator[str]:
    """One note for each best value at the edge of what was tried."""
    for row in rows:
        if math.isfinite(row.score):
            yield from (f"{row_name(results, row)}: {edge}: try more." for edge in row.edges)


def trials_notes(results: StudyResults, rows: Iterable[Row]) -> Iterator[str]:
    """That some optimizers were tuned more than others."""
    rows = list(rows)
    own = [o.label for o in results.specification.optimizers if any(row.optimizer == o.label for row in rows)]
    counts = {optimizer: max(row.trials for row in rows if row.optimizer == optimizer) for optimizer in own}
    if len(sizes := sorted(set(counts.values()), reverse=True)) > 1:
        told = [f"{n} for {listed(label for label, count in counts.items() if count == n)}" for n in sizes]
        yield f"Unequal trials: {'; '.join(told)}. More trials favour an optimizer."


def divergence_notes(results: StudyResults, rows: Iterable[Row]) -> Iterator[str]:
    """Which optimizers had diverged members, with the first cause."""
    hit = [row for row in rows if row.diverged]
    for row in hit[:CAUSES_SHOWN]:
        first = next(record for record in diverged_members(results) if belongs(record, row))
        share = f"{row.diverged} of {counted(row.members, 'member')}"
        where = ", ".join(filter(None, (setting_text(tried(results, first)), f"seed {first['seed']}")))
        yield (f"{row_name(results, row)}: {share} diverged, first at {where}: {first.outcome.cause}.")
    if rest := hit[CAUSES_SHOWN:]:
        names = listed(row_name(results, row) for row in rest)
        yield f"{counted(sum(row.diverged for row in rest), 'member')} of {names} diverged too."


def diverged_members(results: StudyResults) -> list[Record]:
    """The members that diverged, in the study's order."""
    return [record for record in results.records if record.diverged]


def belongs(record: Record, row: Row) -> bool:
    """Whether a member is one of those that a row sums up."""
    return all(
        record[name] == getattr(row, name) for name in ("problem", "optimizer", "factors", "schedule", "batch_size")
    )


def tried(results: StudyResults, record: Record) -> dict[str, object]:
    """The hyperparameters of a member that the study tried values of."""
    grids = {optimizer.label: optimizer.hyperparameters for optimizer in results.specification.optimizers}
    return {name: record["hyperparameters"][name] for name in grids[record["optimizer"]]}


def row_name(results: StudyResults, row: Row) -> str:
    """A row's optimizer, and under which conditions where these are compared."""
    told = setting_text(condition(results, row))
    return f"{row.optimizer} ({told})" if told else row.optimizer


def percent(level: float) -> str:
    """A level in per cent.

    >>> percent(0.75), percent(0.9785)
    ('75 %', '97.9 %')
    """
    return f"{100 * level:.3g} %"


def full_range_level(count: int) -> float:
    """The level of the interval from the least to the largest of so many runs."""
    return float(1 - 2.0 ** (1 - count))

"""What a study did, in sentences made from its specification and records."""

import math

from fallline.plain import canonical
from fallline.report.claims import comparison_said, edges_said, reach_said, reruns_said, search_said
from fallline.report.notes import diverged_members
from fallline.report.panels import condition
from fallline.report.tables import quantity_cells, reported
from fallline.report.words import counted, listed, number, quantity_text, setting_text, value_text
from fallline.study import Row, StudyResults
from fallline.training.divergence import DIVERGED_ABOVE
from fallline.training.treatments import TREATMENTS, active


def headline(results: StudyResults, problem: str) -> str:
    """Which optimizer has the least loss on a problem, at which values, and what comes next."""
    rows = [row for row in results.ranking if row.problem == problem]
    best = rows[0]
    if not math.isfinite(best.score):
        return f"On {problem} every optimizer diverged at its best values."
    count = len(best.results(best.selected_on))
    median = f"median over {counted(count, best.unit)}" if count > 1 else "one seed"
    parts = [
        f"On {problem}, {_named(results, best)} has the least {quantity_text(best.selected_on)}: "
        f"{number(best.score)} ({median})"
    ]
    if others := [row for row in rows[1:] if row.optimizer != best.optimizer]:
        following = others[0]
        told = number(following.score) if math.isfinite(following.score) else "which diverged"
        parts[0] += f"; next is {following.optimizer}, {told}"
    tests = [
        quantity
        for quantity in reported(rows, gap=False)
        if quantity.startswith("test_") and quantity in best.intervals
    ]
    if tests:
        parts.append("On test data it reached " + listed(_measured(rows, quantity) for quantity in tests))
    return ". ".join(parts) + "."


def method(results: StudyResults) -> dict[str, str]:
    """How the numbers came about, and what may be said with them: paragraphs by their headings."""
    spec = results.specification
    trials = _trials(results)
    sizes = sorted(set(trials.values()), reverse=True)
    each = "; ".join(
        f"{'each' if len(sizes) == 1 else listed(name for name, n in trials.items() if n == size)} "
        f"at {counted(size, 'setting')}"
        for size in sizes
    )
    length = counted(spec.epochs, "epoch") if spec.epochs is not None else counted(spec.steps or 0, "step")
    compared = [
        f"{counted(len(spec.optimizers), 'optimizer')} on {listed(problem.name for problem in spec.problems)}, {each}"
    ]
    if spec.factors:
        compared.append(listed(f"{name} {' or '.join(map(value_text, v))}" for name, v in spec.factors.items()))
    if spec.schedules != ("constant",):
        compared.append(f"learning-rate schedule {' or '.join(spec.schedules)}")
    rows = [str(size) for size in spec.batch_sizes if size is not None]
    batches = f" in batches of {' or '.join(rows)}" if rows else ""
    if dropping := [problem.name for problem in spec.problems if problem.drop_last]:
        batches += f" (on {listed(dropping)} what fills no batch is left out of an epoch)"
    order = "in an order drawn anew for every epoch" if spec.order == "reshuffle" else "in the same order every epoch"
    said = {
        "What was compared": f"{'; '.join(compared)}. Every setting was trained for {length}{batches} "
        f"{_seeds(results)}, which makes {counted(results.planned, 'training')}.",
        "Equal chances": "Trainings with the same seed begin with the same weights and see the same batches, "
        f"{order}; so optimizers are compared on equal chances.{_digests(results)}",
        "Treatments": _treatments(results),
        "Search": search_said(results),
        "Choice of values": _selection(results),
        "Reruns": reruns_said(results),
        "Best values at an edge": edges_said(results),
        "Intervals": "Brackets are intervals of the median from order statistics, which assume nothing about the "
        "distribution."
        if any(len(row.winners) > 1 for row in results.ranking)
        else "",
        "Divergence": "A training has diverged when its loss or its parameters were no longer finite, or when its "
        f"training loss at an epoch's end was above {DIVERGED_ABOVE:g} times its start. Diverged trainings are counted "
        f"as the worst result and never dropped; here {_divergences(results)}.",
        "The verdict's test": comparison_said(results),
        "How far statements reach": reach_said(results),
    }
    return {heading: text for heading, text in said.items() if text}


def _digests(results: StudyResults) -> str:
    """Whether the trainings of a seed began alike, as they recorded it themselves; nothing where they did not."""
    weights: dict[str, set[str]] = {}
    orders: dict[str, set[str]] = {}
    for record in results.records:
        if record.origin is None:
            return ""
        factors = {name: value for name, value in record["factors"].items() if name not in TREATMENTS}
        weights.setdefault(canonical([record["problem"], record["seed"], factors]), set()).add(record.origin.weights)
        orders.setdefault(canonical([record["problem"], record["seed"]]), set()).add(record.origin.order)
    for what, found in (("initial weights", weights), ("orders", orders)):
        if any(len(digests) > 1 for digests in found.values()):
            return f" But the digests that they kept of their {what} are not the same."
    return (
        " Each kept a digest of its initial weights and of its order: those of a seed are the same for all optimizers."
    )


def _treatments(results: StudyResults) -> str:
    spec = results.specification
    on = {name for name, values in spec.factors.items() if any(active({name: value}) for value in values)}
    said = [f"{name}: {TREATMENTS[name].says}" for name in spec.factors if name in on]
    if any(TREATMENTS[name].penalty for name in on):
        rule = {"weights": "weights, not on biases and normalisation layers", "all": "all parameters"}
        said.append(f"penalties act on {rule.get(spec.penalise, f'what {spec.penalise} accepts')}")
    return f"{'; '.join(said)[:1].upper()}{'; '.join(said)[1:]}." if said else ""


def _selection(results: StudyResults) -> str:
    spec = results.specification
    held_out = {row.problem for row in results.ranking if row.selected_on == "validation_loss"}
    fraction = f"{spec.validation:g} of the training rows" if spec.validation else "data held out from training"
    said = []
    if held_out:
        chosen = "The values of each optimizer were chosen" if results.searched else "Optimizers are ordered"
        flattered = "; the runs shown are those that were chosen, so that their validation loss is slightly flattered"
        said.append(
            f"{chosen} by the least median validation loss over seeds, on {fraction}"
            f"{'' if results.reruns else flattered}."
        )
    if any("test_loss" in row.intervals for row in results.ranking):
        said.append("Test data played no part in any choice and are only reported.")
    if without := {row.problem for row in results.ranking} - held_out:
        said.append(
            f"Nothing was held out on {listed(sorted(without))}: there the training loss decided, which says how well "
            "data were fitted and not how well new data would be predicted."
        )
    return " ".join(said)


def _divergences(results: StudyResults) -> str:
    count = len(diverged_members(results))
    return f"{count} of {len(results.records)} did" if count else "none did"


def _named(results: StudyResults, row: Row) -> str:
    told = setting_text({**row.told, **condition(results, row)})
    return f"{row.optimizer} with {told}" if told else row.optimizer


def _measured(rows: list[Row], quantity: str) -> str:
    median, bounds = quantity_cells(rows, quantity)[0]
    return " ".join(filter(None, (quantity_text(quantity).removeprefix("test "), median, bounds)))


def _seeds(results: StudyResults) -> str:
    spec = results.specification
    if not results.searched:
        return f"from {counted(spec.final_seeds, 'seed')}"
    again = f" to choose, and what was chosen from {counted(spec.final_seeds, 'seed')} more" if spec.runs.final else ""
    return f"from {counted(spec.seeds, 'seed')}{again}"


def _trials(results: StudyResults) -> dict[str, int]:
    """How many settings were tried of each optimizer."""
    most: dict[str, int] = {optimizer.label: 0 for optimizer in results.specification.optimizers}
    for row in results.ranking:
        most[row.optimizer] = max(most[row.optimizer], row.trials)
    return most

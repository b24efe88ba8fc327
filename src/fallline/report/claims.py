"""How values were searched and tried again, and what the verdicts may claim: sentences, empty where nothing is said."""

from fallline.report.notes import row_name
from fallline.report.search import search_note
from fallline.report.words import counted, listed
from fallline.study import StudyResults


def search_said(results: StudyResults) -> str:
    """Which values were searched."""
    note = search_note(results.specification)
    return (
        f"{note} Each optimizer has the search space that its rule declares, unless another was given." if note else ""
    )


def reruns_said(results: StudyResults) -> str:
    """Which trainings were made again, and that these alone are reported; of a sweep, that there are none."""
    spec, seeds = results.specification, results.specification.runs
    if spec.protocol == "sweep":
        return (
            "None: this is a sweep. The runs that chose the values are those that are shown, which flatters them; a "
            "verdict would rest on the same luck, and none is given."
        )
    if not results.searched:
        return "No optimizer had several values to choose from, so nothing was searched and nothing had to be rerun."
    extra = repeated = ""
    if spec.extra_trials:
        extra = f" Where anybody's best lay at an edge, every optimizer got {counted(spec.extra_trials, 'trial')} more."
    if spec.tuning_repeats > 1:
        repeated = f" All of this was done {spec.tuning_repeats} times, with searches and seeds of their own."
    return (
        f"The search used {_seeds(seeds.of_search(0))}.{extra} What each optimizer's search chose was trained again on "
        f"{_seeds(seeds.of_reruns(0))}, which took no part in choosing. Everything that is reported comes from these "
        f"{counted(len(results.reruns), 'training')} alone: verdicts, intervals and curves. The values tried are shown "
        f"as the search saw them.{repeated}"
    )


def edges_said(results: StudyResults) -> str:
    """Which optimizers did best at the edge of what was tried."""
    found = [f"{row_name(results, row)} ({'; '.join(row.edges)})" for row in results.ranking if row.edges]
    if not found:
        return ""
    beyond = "Better values may lie beyond: what is said of these holds for the values searched."
    return f"{listed(dict.fromkeys(found))}. {beyond}"


def comparison_said(results: StudyResults) -> str:
    """How a verdict compares."""
    if not results.verdicts:
        return ""
    verdict = results.verdicts[0].verdict
    unit, pairs = verdict.terms.unit, {len(judged.verdict.comparisons) for judged in results.verdicts}
    most = max(pairs)
    judged = {one.problem for one in results.verdicts if one.metric == "validation_loss" and results.searched}
    same_rows = ""
    if judged:
        same_rows = (
            f" Without test data, verdicts on {listed(sorted(judged))} rest on the validation rows, by which the "
            "values were chosen too: fresh seeds, but the same rows."
        )
    each = f" Each of the {len(results.verdicts)} verdicts has this chance by itself."
    among = f"all {pairs.pop()} pairs" if len(pairs) == 1 else "all pairs"
    many = f"; p-values are adjusted so that this holds for any false claim among {among} of a verdict"
    return (
        f"Optimizers are compared {unit} by {unit}, so that what a lucky {unit} gives to both cancels. Each pair has "
        f"an exact signed-rank test, in which the chance of a false claim is at most {100 * verdict.alpha:g} %"
        f"{many if most > 1 else ''}.{each if len(results.verdicts) > 1 else ''} No claim is possible with fewer than "
        f"{_needed(results)}. The typical difference is the Hodges-Lehmann estimate; its interval "
        "is for that pair alone, with the level printed. That no difference is shown does not mean that there is none: "
        f"what could have been seen is said with it.{_rows_said(results)}{same_rows}"
    )


def reach_said(results: StudyResults) -> str:
    """For which optimizers, values and budget statements hold."""
    repeats = results.specification.tuning_repeats
    if not results.searched:
        return "All statements hold for the values given and trainings of this length."
    if repeats > 1:
        return (
            f"Each of the {repeats} results of an optimizer is the median of the reruns of one search, so verdicts are "
            "about optimizers with their tuning: with these search spaces, this budget and trainings of this length."
        )
    return (
        "All statements hold for the optimizers as tuned here, with these values tried, this budget and trainings of "
        "this length. There was one search, whose luck the seeds do not show: another of as many trials may choose "
        "other values. (--tuning-repeats repeats the search itself.)"
    )


def _rows_said(results: StudyResults) -> str:
    """On how many rows verdicts rest, which are the same for all seeds."""
    splits = {(judged.problem, judged.metric.partition("_")[0]) for judged in results.verdicts}
    rows = results.environment.get("rows", {})
    known = {(name, split): rows.get(name, {}).get(split) for name, split in sorted(splits)}
    told = [f"{counted(count, f'{split} row')} of {name}" for (name, split), count in known.items() if count]
    return f" All seeds are measured on the same data ({listed(told)}), and a claim is about these." if told else ""


def _needed(results: StudyResults) -> str:
    """How many seeds the verdicts need, which is more where there are more pairs."""
    needed = sorted({judged.verdict.seeds_needed for judged in results.verdicts})
    most = counted(needed[-1], results.verdicts[0].verdict.terms.unit)
    return most if len(needed) == 1 else f"{needed[0]} to {most}, the more the pairs"


def _seeds(own: range) -> str:
    return f"seeds {own.start} to {own.stop - 1}" if len(own) > 1 else f"seed {own.start}"

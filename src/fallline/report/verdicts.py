"""The verdicts of a study in words, as they stand under a table."""

from fallline.phrases import counted
from fallline.report.words import setting_text
from fallline.statistics import Verdict
from fallline.study import StudyResults
from fallline.study.judging import SWEEP, Judged

PAIRS_SHOWN = 3
"""Up to how many pairs are told one by one."""


def verdict_notes(results: StudyResults, problem: str) -> list[str]:
    """What may be said about the optimizers on a problem; and where nothing may, why."""
    rows = [row for row in results.ranking if row.problem == problem]
    if results.specification.protocol == "sweep":
        return [SWEEP] if len(rows) > 1 else []
    notes = [told for judged in results.verdicts if judged.problem == problem for told in _told(judged)]
    several = len(results.verdicts)
    if notes and several > 1:
        alpha = 100 * results.verdicts[0].verdict.alpha
        notes.append(f"Each of the {several} verdicts of this study has an error rate of {alpha:g} % of its own.")
    return notes


def _told(judged: Judged) -> list[str]:
    return [*_pairs(judged), *inclusion_notes(judged)]


def verdict_words(verdict: Verdict) -> str:
    """What a verdict says over all of its pairs; and where there are too few seeds for it, how to ask for them."""
    if verdict.enough:
        return verdict.words()
    option = "tuning-repeats" if verdict.terms.search_repeated else "final-seeds"
    return f"{verdict.words()} Ask for them: --{option} {verdict.seeds_needed}."


def inclusion_notes(judged: Judged) -> list[str]:
    """Who was not tuned enough, since a special case of it did better."""
    return [
        f"{general} becomes {special} at some of its values, and {special} did better: {general} is under-tuned here."
        for special, general in judged.under_tuned
    ]


def _pairs(judged: Judged) -> list[str]:
    verdict = judged.verdict
    where = f"With {setting_text(judged.condition)}: " if judged.condition else ""
    pairs = verdict.comparisons
    if len(pairs) == 1 or not verdict.enough:
        return [where + verdict_words(verdict)]
    if len(pairs) <= PAIRS_SHOWN:
        return [where + verdict.words(), *(pair.words() for pair in pairs)]
    return [f"{where}{verdict.words()} All {counted(len(pairs), 'pair')}: report and --json."]

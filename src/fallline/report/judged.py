"""The verdicts of a study as the page shows them: words, the matrix of all pairs, and each pair seed by seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fallline.plain import unbounded
from fallline.report.cells import Cell, Entry
from fallline.report.colors import Look, looks
from fallline.report.verdicts import inclusion_notes, verdict_words
from fallline.report.words import number, quantity_text, setting_parts
from fallline.statistics import Comparison, differences
from fallline.statistics.comparison import p_text
from fallline.statistics.sample import sample
from fallline.study import StudyResults
from fallline.study.judging import Judged

SIGNS = {"better": "▲", "ahead": "△", "even": "=", "behind": "▽", "worse": "▼"}


@dataclass(frozen=True)
class Square:
    """One square of the matrix: the row against the column. `pair` is the place of their comparison, `standing` one of
    those that have a sign.
    """

    pair: int
    standing: str
    sign: str
    text: str
    more: str
    words: str


@dataclass(frozen=True)
class Line:
    """One optimizer's row of the matrix; None on the diagonal."""

    name: str
    color: str
    squares: tuple[Square | None, ...]


@dataclass(frozen=True)
class Verdicts:
    """One verdict: its title, its words, who was not tuned enough, the matrix (empty for a single pair), and all pairs
    as a table and in sentences.
    """

    title: str
    words: str
    notes: tuple[str, ...]
    lines: tuple[Line, ...]
    entries: tuple[Entry, ...]
    sentences: tuple[str, ...]


def verdict_sections(results: StudyResults, styles: Mapping[str, Look]) -> list[Verdicts]:
    """What the page says of every verdict."""
    return [_section(judged, results.verdicts, styles) for judged in results.verdicts]


def verdict_pairs(results: StudyResults, styles: Mapping[str, Look]) -> list[dict[str, Any]]:
    """What the page draws of every verdict: each pair's differences seed by seed, with their interval."""
    return [
        {
            "metric": quantity_text(judged.metric),
            "better": judged.verdict.terms.better,
            "unit": judged.verdict.terms.unit,
            "seeds": _seeds(results, judged),
            "pairs": [_pair(judged, pair, _looks(judged, styles)) for pair in judged.verdict.comparisons],
        }
        for judged in results.verdicts
    ]


def _section(judged: Judged, every: tuple[Judged, ...], styles: Mapping[str, Look]) -> Verdicts:
    verdict = judged.verdict
    names = ranked_names(judged)
    return Verdicts(
        title=_title(judged) if len(every) > 1 else "",
        words=verdict_words(verdict),
        notes=tuple(inclusion_notes(judged)),
        lines=tuple(
            Line(name, _looks(judged, styles)[name].color, tuple(_square(judged, name, other) for other in names))
            for name in names
        )
        if len(names) > 2
        else (),
        entries=tuple(_entry(judged, pair, styles) for pair in verdict.comparisons),
        sentences=tuple(pair.words() for pair in verdict.comparisons),
    )


def ranked_names(judged: Judged) -> list[str]:
    """The names that are compared, those that are ahead of most others first."""
    ahead = [pair.first for pair in judged.verdict.comparisons if standing(pair, pair.first) != "even"]
    return sorted(judged.verdict.optimizers, key=lambda name: -ahead.count(name))


def standing(pair: Comparison, name: str) -> str:
    """How one of two stands against the other: better or worse where that is shown, else ahead, behind or even."""
    if pair.differs:
        return "better" if name == pair.first else "worse"
    if not pair.paired.won > 0 or pair.lead.estimate == 0:
        return "even"
    return "ahead" if name == pair.first else "behind"


def _square(judged: Judged, name: str, other: str) -> Square | None:
    if name == other:
        return None
    pair = judged.verdict.between(name, other)
    place = judged.verdict.comparisons.index(pair)
    held = standing(pair, name)
    return Square(place, held, SIGNS[held], _lead(pair, name), _p(pair), pair.words())


def _lead(pair: Comparison, name: str) -> str:
    """By how much the row is better (above 0) or worse than the column."""
    value = pair.lead.estimate if name == pair.first else -pair.lead.estimate
    return "unknown" if value != value else f"{'+' if value > 0 else ''}{number(value)}".replace("-", "−")


def _p(pair: Comparison) -> str:
    return f"p {p_text(pair.adjusted)}" if pair.enough else ""


def _entry(judged: Judged, pair: Comparison, styles: Mapping[str, Look]) -> Entry:
    metric = quantity_text(judged.metric)
    ties = f" ({pair.paired.tied} tied)" if pair.paired.tied else ""
    said = pair.terms.better if pair.differs else "not told apart" if pair.enough else f"too few {pair.terms.unit}s"
    return Entry(
        pair.first,
        _looks(judged, styles)[pair.first].color,
        (
            Cell("against", pair.second, numeric=False),
            Cell("verdict", said, numeric=False),
            Cell(f"typical difference in {metric}", number(pair.lead.estimate), _bounds(pair)),
            Cell("level", f"{100 * pair.lead.level:.1f} %" if pair.lead.level else "-"),
            Cell(f"{pair.terms.unit}s ahead", f"{pair.paired.won} of {pair.seeds}{ties}"),
            Cell("p over all pairs", p_text(pair.adjusted).removeprefix("= ") if pair.enough else "-"),
        ),
    )


def _bounds(pair: Comparison) -> str:
    return f"[{number(pair.lead.low)}, {number(pair.lead.high)}]" if pair.lead.level else ""


def _pair(judged: Judged, pair: Comparison, styles: Mapping[str, Look]) -> dict[str, Any]:
    first, second = (
        sample("results", judged.results[name], pair.terms.higher_is_better) for name in (pair.first, pair.second)
    )
    leads = differences(second, first)
    return {
        "first": pair.first,
        "second": pair.second,
        "colors": [styles[pair.first].color, styles[pair.second].color],
        "words": pair.words(),
        "leads": [unbounded(lead) for lead in leads.tolist()],
        "estimate": unbounded(pair.lead.estimate),
        "low": unbounded(pair.lead.low),
        "high": unbounded(pair.lead.high),
        "level": pair.lead.level,
    }


def _looks(judged: Judged, styles: Mapping[str, Look]) -> Mapping[str, Look]:
    """The looks of what is compared: conditions of one optimizer have looks of their own."""
    return styles if judged.compared == "optimizers" else looks(judged.verdict.optimizers)


def _seeds(results: StudyResults, judged: Judged) -> list[int]:
    """What numbers the results: the seeds of the reruns, or repeats from 1 on."""
    seeds = results.specification.runs.of_reruns(0)
    return list(seeds) if judged.verdict.terms.unit == "seed" else list(range(1, judged.verdict.seeds + 1))


def _title(judged: Judged) -> str:
    return ", ".join([judged.problem, *setting_parts(judged.condition)])

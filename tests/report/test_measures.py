"""Noise scale and sharpness: medians, words, and what the report shows."""

import json
import math
from dataclasses import dataclass

import pytest

import fallline as fl
from fallline.report import inside, page
from fallline.report.measures import measure_text, measured, measured_curve, stable_below


@dataclass
class Run:
    curve: dict
    diverged: bool = False
    evaluation: int = -1


@dataclass
class OfSeeds:
    winners: tuple


def runs(*columns, **others):
    return tuple(Run({"step": [0.0, 2.0], "sharpness": list(column)}, **others) for column in columns)


def test_the_curve_is_the_median_of_the_seeds_that_have_a_value():
    curve = measured_curve(runs((1.0, 4.0), (3.0, math.nan), (5.0, 6.0)), "sharpness")
    assert curve.step == (0.0, 2.0)
    assert curve.median == (3.0, 5.0)
    assert (curve.low, curve.high) == ((1.0, 4.0), (5.0, 6.0))
    nowhere = measured_curve(runs((1.0, math.nan)), "sharpness")
    assert nowhere.step == (0.0,)
    assert measured_curve(runs((1.0, 1.0)), "noise_scale").step == ()


def test_the_end_is_that_of_the_final_weights_of_the_seeds_that_did_not_diverge():
    ended = OfSeeds((*runs((8.0, 1.0), evaluation=0), *runs((0.0, 2.0)), *runs((0.0, 1e9), diverged=True)))
    assert measure_text(ended, "sharpness") == ("5.00", "[2.00, 8.00] (2 of 3 seeds)")
    assert stable_below(ended) == "0.400"
    assert measure_text(OfSeeds(runs((1.0, math.nan))), "sharpness") == ("not measured", "")
    assert stable_below(OfSeeds(runs((1.0, math.nan)))) == "not measured"
    assert stable_below(OfSeeds(runs((1.0, -2.0)))) == "any"
    assert measure_text(OfSeeds(runs((1.0, math.inf))), "sharpness") == ("infinite", "")


def test_the_report_has_a_curve_for_each_optimizer_and_the_medians_of_every_row(studies):
    recorded = studies.recorded
    html = page.page_text(recorded)
    start = html.index('id="data">') + len('id="data">')
    document = json.loads(html[start : html.index("</script>", start)])
    assert [(one["name"], one["problem"]) for one in document["inside"]] == [
        (name, problem) for name in ("noise_scale", "sharpness") for problem in ("linear", "cubic")
    ]
    for one in document["inside"]:
        assert sorted(row["optimizer"] for row in one["rows"]) == ["adam", "sgd"]
        best = next(r for r in recorded.ranking if r.problem == one["problem"] and r.optimizer == "sgd")
        shown = next(row for row in one["rows"] if row["optimizer"] == "sgd")
        values = [run.curve[one["name"]][-1] for run in best.winners]
        assert shown["median"][-1] == pytest.approx(sum(values) / 2)
        assert (shown["low"][-1], shown["high"][-1]) == (min(values), max(values))
    assert "Batches well below it are mostly noise" in html
    assert "below 2 / sharpness" in html
    for row in recorded.ranking:
        assert inside.full_name(recorded, row) in html
        for measure in measured(recorded):
            assert f"<span>{measure_text(row, measure.column)[0]} <span" in html


def test_the_sentences_name_the_best_row_of_each_optimizer(studies):
    recorded = studies.recorded
    notes = inside.inside_notes(recorded, recorded.ranking)
    (said,) = [note for note in notes if note.startswith("Noise scale at the end (rows): ")]
    assert said.count("linear, sgd (l2=") == said.count("cubic, adam (l2=") == 1
    first = recorded.ranking[0]
    assert f"{inside.full_name(recorded, first)} {measure_text(first, 'noise_scale')[0]} [" in said


def test_a_study_that_recorded_layers_alone_has_neither(tmp_path):
    results = fl.compare(
        "linear", ["sgd"], lrs=[0.01], epochs=1, seeds=1, threads=1, diagnostics="layers", progress=False,
        protocol="sweep", store=tmp_path / "s",
    )  # fmt: skip
    assert measured(results) == []
    assert "harpness" not in page.page_text(results).split("<script")[0]
    assert not [note for note in inside.inside_notes(results, results.ranking) if "at the end" in note]

"""The numbers beside the charts, and what is drawn: search budgets, good rates, batch sizes, targets, all problems."""

import json
import math

import pytest

from fallline.report import page
from fallline.report.arrivals import arrival_curves
from fallline.report.budgets import budget_lines
from fallline.report.chart_tables import chart_tables, targets_said
from fallline.report.colors import looks
from fallline.report.heat_maps import heat_maps
from fallline.report.overall import overall
from fallline.report.panels import panels
from fallline.report.series import trials
from fallline.report.widths import width_spans

OTHERS = (("adam", "sgd"), ("sgd", "adam"))


def tables(results):
    styles = looks(optimizer.label for optimizer in results.specification.optimizers)
    return chart_tables(results, panels(results), styles)


def cells(entry):
    return {cell.heading: cell.text for cell in entry.cells}


def test_tables_are_left_out_where_there_is_nothing_to_show(studies):
    assert [name for name, found in tables(studies.one_rate).items() if found] == ["curves"]
    assert [name for name, found in tables(studies.digits).items() if found] == [
        "curves", "widths", "tried", "budgets", "arrivals",
    ]  # fmt: skip
    assert tables(studies.two_problems)["overall"]
    assert tables(studies.cubic)["heat"]


def test_the_curves_table_ends_with_the_medians_of_the_ranking(studies):
    (table,) = tables(studies.digits)["curves"]
    row, entry = studies.digits.ranking[0], table.entries[0]
    *_, last = entry.cells
    assert entry.optimizer == row.optimizer
    assert float(last.text) == pytest.approx(row.score, rel=1e-2)
    assert entry.cells[0].heading == "step 0"
    assert len(entry.cells) == 6


def test_every_value_tried_is_a_row_of_the_table(studies):
    (table,) = tables(studies.digits)["tried"]
    own = [cells(entry) for entry in table.entries if entry.optimizer == "sgd"]
    assert [cell["lr"] for cell in own] == ["0.01", "0.5", "1e+03"]
    assert own[2]["median validation loss"] == "diverged"
    assert own[2]["diverged"] == "3/3"
    assert [cell["chosen"] for cell in own] == ["", "yes", ""]


def test_a_search_of_all_trials_found_the_best_and_half_as_many_less(studies):
    (panel,) = panels(studies.digits)
    sgd = next(line for line in budget_lines(studies.digits, panel) if line["optimizer"] == "sgd")
    medians = [trial.median for trial in trials(panel, next(row for row in panel.rows if row.optimizer == "sgd"))]
    assert math.isinf(sgd["expected"][0])
    assert sgd["expected"][2] == min(medians)
    best, second, last = sorted(medians)
    assert math.isinf(last)
    assert sgd["expected"][1] == pytest.approx((2 * best + second) / 3)
    assert sgd["lost"] == pytest.approx([1 / 3, 0, 0])
    (table,) = tables(studies.digits)["budgets"]
    shown = next(cells(entry) for entry in table.entries if entry.optimizer == "sgd")
    assert list(shown) == ["1 trial", "2 trials", "3 trials"]
    assert shown["1 trial"] == "33 % all diverge"


def test_the_good_rates_are_those_of_the_statistics_and_divergence_is_said(studies):
    results = studies.digits
    (panel,) = panels(results)
    sgd = next(row for row in panel.rows if row.optimizer == "sgd")
    drawn = next(one for one in width_spans(results, panel) if one["optimizer"] == "sgd")
    robustness = results.rate_robustness(sgd)
    assert drawn["spans"] == {"5": robustness.spans[0.05], "10": robustness.spans[0.1]}
    assert f"{robustness.decades[0.05]:.2f} decades" in drawn["text"]
    (table,) = tables(results)["widths"]
    shown = next(cells(entry) for entry in table.entries if entry.optimizer == "sgd")
    assert shown["best lr"] == "0.5"
    assert shown["diverges from"] == "lr 1e+03"


def test_rates_and_batch_sizes_make_one_map_for_each_optimizer_with_one_scale(studies):
    maps = heat_maps(studies.cubic)
    assert [(one["title"], one["optimizer"]) for one in maps] == [("cubic", "sgd"), ("cubic", "momentum")]
    assert [(one["rates"], one["sizes"]) for one in maps] == [(["0.01", "0.1"], ["32", "128"])] * 2
    losses = [loss for one in maps for row in one["losses"] for loss in row]
    assert {tuple(one["limits"]) for one in maps} == {(min(losses), max(losses))}
    best = min(row.score for row in studies.cubic.ranking)
    assert min(losses) == best
    table = tables(studies.cubic)["heat"][0]
    assert [entry.optimizer for entry in table.entries] == ["batch size 32", "batch size 128"]
    assert list(cells(table.entries[0])) == ["lr 0.01", "lr 0.1"]


def test_the_share_that_reached_the_target_rises_to_those_counted(studies):
    results = studies.digits
    (panel,) = panels(results)
    found = arrival_curves(panel)
    assert found["words"] == "validation_accuracy>=0.6"
    assert targets_said([panel]) == ["validation_accuracy>=0.6."]
    assert [unit["name"] for unit in found["units"]][:2] == ["steps", "samples"]
    for row, shown in zip(panel.rows, found["units"][0]["rows"], strict=True):
        hits = row.steps_to_target.reached
        assert shown["optimizer"] == row.optimizer
        assert (shown["reached"] or [0.0])[-1] == pytest.approx(hits / 3)
        assert sum(one["count"] for one in shown["missed"]) == 3 - hits
        assert shown["until"] == row.winners[0].curve["step"][-1]
    (table,) = tables(results)["arrivals"]
    assert cells(table.entries[0])["reached it"] == f"{panel.rows[0].steps_to_target.reached} of 3"


def test_seconds_are_told_of_those_that_have_them(studies):
    optimizers = ["adam:lr=0.01", "sgd:lr=1e9"]
    results = studies.run("timed", "cubic", optimizers, epochs=1, seeds=1, target="train_loss<=1", speed=True)
    (panel,) = panels(results)
    found = {unit["name"]: [row["optimizer"] for row in unit["rows"]] for unit in arrival_curves(panel)["units"]}
    assert found["steps"] == ["adam", "sgd"]
    assert found["seconds"] == ["adam"]
    (table,) = tables(results)["arrivals"]
    adam, diverged = map(cells, table.entries)
    assert (adam["seconds: median (a hit costs)"] == "-", diverged["seconds: median (a hit costs)"]) == (False, "-")


def test_problems_are_compared_by_ranks_and_factors(studies):
    results = studies.two_problems
    found = overall(results)
    assert sorted(one["label"] for one in found["ranks"]) == ["adam", "sgd"]
    scores = {(row.problem, row.optimizer): row.score for row in results.ranking}
    behind = {name: sum(scores[p, name] > scores[p, other] for p in ("cubic", "linear")) for name, other in OTHERS}
    assert {one["label"]: one["estimate"] for one in found["ranks"]} == {
        n: 1 + count / 2 for n, count in behind.items()
    }
    (ratio,) = found["ratios"]
    product = math.prod(scores[p, ratio["first"]] / scores[p, ratio["second"]] for p in ("cubic", "linear"))
    assert ratio["estimate"] == pytest.approx(math.sqrt(product))
    ranks, factors = tables(results)["overall"]
    assert {"cubic", "linear"} < {cell.heading for cell in ranks.entries[0].cells}
    assert cells(factors.entries[0])["against"] == ratio["second"]


def test_the_page_has_the_tables_and_says_which_digest_the_search_has(studies):
    text = page.page_text(studies.judged)
    assert studies.judged.specification.search_digest in text
    assert "<h2>Verdict</h2>" in text
    assert "Everything that is reported comes from these 21 trainings alone" in text
    assert "<h2>Verdict</h2>" not in page.page_text(studies.digits)
    assert "this is a sweep" in page.page_text(studies.digits)
    start = text.index('id="data">') + len('id="data">')
    document = json.loads(text[start : text.index("</script>", start)])
    assert len(document["verdicts"][0]["pairs"]) == 3
    assert len(document["verdicts"][0]["seeds"]) == 7

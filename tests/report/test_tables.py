import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from fallline.report import tables
from fallline.study import read_results
from tests.report.conftest import HOSTILE


def medians(results, quantity):
    """Each optimizer's best median final value of the selecting loss, with the same runs' median of a quantity."""
    best = {}
    for label in {record["optimizer"] for record in results.records}:
        settings = {}
        for record in results.records:
            if record["optimizer"] == label:
                settings.setdefault(record["hyperparameters"]["lr"], []).append(record)
        finals = {
            lr: np.median([np.inf if run.diverged else run.curve["validation_loss"][-1] for run in runs])
            for lr, runs in settings.items()
        }
        lr = min(finals, key=finals.get)
        best[label] = (finals[lr], lr, np.median([run.curve[quantity][-1] for run in settings[lr]]))
    return best


def row_of(text, label):
    return next(line for line in text.splitlines() if f" {label} " in line)


def test_the_table_holds_the_right_numbers_in_the_right_order(studies):
    text = tables.ranking_text(studies.digits, width=140)
    best = medians(studies.digits, "test_accuracy")
    order = sorted(best, key=lambda label: best[label][0])
    lines = [line for line in text.split("\n") if line.lstrip()[:1].isdigit()]
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]
    for line, label in zip(lines, order, strict=True):
        loss, lr, accuracy = best[label]
        assert label.split()[0] in line
        assert f"lr={lr:.3g} " in line
        assert f" {loss:.3f} " in line
        assert f" {accuracy:.3f} [" in line


def test_intervals_are_the_least_and_the_largest_of_three_seeds(studies):
    row = next(row for row in studies.digits.ranking if row.optimizer == "sgd")
    values = sorted(run.curve["test_loss"][-1] for run in row.winners)
    assert f"{values[1]:.3f} [{values[0]:.3f}, {values[2]:.3f}]" in tables.ranking_text(studies.digits, width=120)
    assert "least to largest of 3 seeds, a 75 % interval of the median" in tables.ranking_text(studies.digits)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("name", ["digits", "cubic", "two_problems", "all_diverged", "penalised", "aimed"])
def test_the_table_fits(studies, name, width):
    results = getattr(studies, name)
    pasted = {results.paste_line(row) for row in results.ranking}
    for line in tables.ranking_text(results, width=width).splitlines():
        assert len(line) <= width or line in pasted
        assert line.count("[") == line.count("]") or line.startswith("-")


def test_what_chose_what_diverged_and_what_lies_at_the_edge_is_said(studies):
    text = " ".join(tables.ranking_text(studies.digits).split())
    sgd = next(row for row in studies.digits.ranking if row.optimizer == "sgd")
    cause = next(record.outcome.cause for record in studies.digits.records if record.diverged)
    assert (sgd.diverged, sgd.members) == (3, 9)
    assert "least median validation loss; test data played no part" in text
    assert f"sgd: 3 of 9 members diverged, first at lr=1e+03, seed 0: {cause}." in text
    assert "adam: lr=0.01 is the largest value tried: try more." in text
    assert "Unequal trials: 3 for sgd and adam; 2 for" in text
    assert "first evaluation with validation_accuracy>=0.6" in text


def test_steps_to_a_target_count_the_seeds_that_met_it(studies):
    for row in studies.digits.ranking:
        met = [
            next((s for s, a in zip(r.curve["step"], r.curve["validation_accuracy"], strict=True) if a >= 0.6), None)
            for r in row.winners
        ]
        assert tables.steps_text(row).endswith(f"({sum(step is not None for step in met)}/3)")
        if None in sorted(met, key=lambda step: step is None)[:2]:
            assert tables.steps_text(row).startswith("- ")


def test_the_line_to_paste_stands_alone_at_any_width(studies):
    best = studies.digits.ranking[0]
    assert studies.digits.paste_line(best) in tables.ranking_text(studies.digits, width=40).split("\n")


def test_batch_sizes_are_shown_where_they_are_compared(studies):
    text = tables.ranking_text(studies.cubic)
    assert "batch_size=32" in text
    assert "batch_size=128" in text
    assert "batch_size" not in tables.ranking_text(studies.digits)
    assert "There are no test data." in text
    assert "lr=0.1, momentum=0.9" in text or "lr=0.1, momentum=0.5" in text


def test_each_problem_has_its_table(studies):
    text = tables.ranking_text(studies.two_problems)
    assert text.count(" to paste:") == 2
    assert text.index("cubic:") < text.index("linear:")
    single, across = text.split("Across 2 problems: cubic and linear")
    assert "One seed: no interval" in single
    assert "[..]" not in single
    assert "mean rank" in across


def test_a_study_without_a_survivor_has_no_winner(studies):
    text = " ".join(tables.ranking_text(studies.all_diverged).split())
    assert "Every optimizer diverged on line: there is no best one." in text
    assert "to paste" not in text
    assert "because nothing was held out" in text
    assert "The model was given as an instance" in text
    assert tables.places(studies.all_diverged.ranking) == [1, 1]


def test_a_partly_finished_study_says_so(studies):
    results = replace(studies.digits, records=studies.digits.records[:7])
    assert tables.ranking_text(results).startswith("Unfinished: 7 of 24 members have ended")
    assert tables.ranking_text(replace(results, records=())).startswith("Unfinished: 0 of 24")


def test_names_are_text_and_not_markup(studies):
    results = studies.digits
    assert HOSTILE[:9] in tables.ranking_text(results, width=140)
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=120)
    tables.print_ranking(results, console)
    assert "\x1b[" in console.file.getvalue()
    assert "\x1b[" not in tables.ranking_text(results)


def left_out(results, width):
    note = re.search(r"Not shown for want of room: ([^.]*)\.", " ".join(tables.ranking_text(results, width).split()))
    return note[1].split(", ") if note else []


GAP, STEPS, MEAN, LARGEST = (
    "test - training loss",
    "steps to target",
    "test mean absolute error",
    "test largest absolute error",
)


@pytest.mark.parametrize(
    ("name", "wanted"), [("penalised", [MEAN, GAP, LARGEST, STEPS]), ("aimed", [STEPS, LARGEST, GAP, MEAN])]
)
def test_what_was_asked_for_stays_where_room_is_scarce(studies, name, wanted):
    results = getattr(studies, name)
    assert left_out(results, 140) == []
    shown = [[column for column in wanted if column not in left_out(results, width)] for width in range(140, 50, -1)]
    assert shown[-1] == []
    narrowest = max(place for place, columns in enumerate(shown) if wanted[0] in columns)
    assert shown[narrowest] == wanted[:1]
    assert any(columns == wanted[:2] for columns in shown)
    assert GAP in shown[0]
    assert all(wanted[0] in columns for columns in shown[:narrowest])


def test_a_target_that_was_asked_for_is_known_from_the_store(studies):
    for results, asked in ((studies.penalised, False), (studies.aimed, True)):
        assert read_results(results.folder).specification.problems[0].target_asked is asked


def test_long_headings_are_broken_into_lines(studies):
    heading = tables.ranking_text(studies.penalised, width=80).split("#")[0]
    assert [line.split()[-1] for line in heading.splitlines()[-3:-1]] == ["test", "mean"]

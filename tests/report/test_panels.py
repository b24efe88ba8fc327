from dataclasses import dataclass

from fallline.report.panels import Panel, foremost, foremost_rows
from fallline.report.words import filled


@dataclass
class Scored:
    problem: str
    optimizer: str
    score: float


def panel(problem, score):
    return Panel(problem, {"l1": score}, (Scored(problem, "sgd", score),), ())


def test_the_best_panels_of_each_problem_are_chosen_and_keep_their_order():
    found = [panel("a", 3.0), panel("a", 1.0), panel("a", 2.0), panel("b", 90.0), panel("b", 80.0)]
    assert foremost(found, 5) == found
    assert foremost(found, 3) == [found[1], found[2], found[4]]
    assert foremost(found, 2) == [found[1], found[4]]


def test_the_best_row_of_each_optimizer_comes_before_the_second_best_of_another():
    rows = [Scored("a", name, i) for i, name in enumerate(["adam", "adam", "adam", "sgd", "sgd"])]
    assert foremost_rows(rows, 2) == [rows[0], rows[3]]
    assert foremost_rows(rows, 3) == [rows[0], rows[1], rows[3]]
    assert foremost_rows(rows, 9) == rows


def test_rows_of_every_problem_are_among_the_first():
    rows = [Scored("a", "adam", 1), Scored("a", "adam", 2), Scored("b", "adam", 5), Scored("b", "sgd", 6)]
    assert foremost_rows(rows, 3) == [rows[0], rows[2], rows[3]]


def test_long_titles_are_wrapped_and_stay_distinguishable():
    parts = ["digits", "schedule=file.py:" + "long" * 20, "dropout=0.5", "batch_norm=true", "label_smoothing=0.1"]
    first, second = (filled([*parts, f"l1={value}"], 40) for value in (0.1, 0.2))
    assert first != second
    assert all(len(line) <= 40 for line in first.split("\n"))
    assert "schedule=file.py:" in first
    assert "l1=0.1" in first
    alike = [filled([f"schedule=file.py:{'long' * 20}_{ending}"], 40) for ending in "ab"]
    assert alike[0] != alike[1]

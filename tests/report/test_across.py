import io

from rich.console import Console

from fallline.report.across import across_notes, print_across
from fallline.report.colors import looks
from fallline.study.across_problems import across_problems
from tests.study.test_across_problems import rows

LOSSES = {
    "a": {"sgd": 2.0, "adam": 1.0, "[red]mine[/]": 3.0},
    "b": {"sgd": 8.0, "adam": 2.0, "[red]mine[/]": float("inf")},
}


def printed(found, width=80):
    file = io.StringIO()
    styles = looks(entrant.optimizer for entrant in found.entrants)
    print_across(found, styles, Console(file=file, width=width, color_system=None))
    return file.getvalue()


def test_the_table_has_ranks_and_multiples_of_the_first():
    text = printed(across_problems(rows(LOSSES)))
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.split()}
    assert lines["adam"][1] == "1.00"
    assert lines["adam"][-1] == "1"
    assert lines["sgd"][1] == "2.00"
    # Factors 2 and 4: the typical one is the square root of 8.
    assert lines["sgd"][-3:] == ["2.83", "[2.00,", "4.00]"]
    assert lines["[red]mine[/]"][1] == "3.00"
    assert "inf]" in lines["[red]mine[/]"][-1]
    assert max(map(len, text.splitlines())) <= 80


def test_the_notes_say_what_so_few_problems_are_worth():
    notes = " ".join(across_notes(across_problems(rows(LOSSES))))
    assert "test loss on a and b" in notes
    assert "at a level of 50 %, which is all that 2 problems are worth" in notes
    many = {str(i): {"sgd": 1.0 + i, "adam": 2.0 + i} for i in range(8)}
    assert "worth" not in " ".join(across_notes(across_problems(rows(many))))


def test_without_ratios_the_column_is_left_out():
    found = across_problems(rows({"a": {"sgd": 1.0, "adam": -1.0}, "b": {"sgd": 1.0, "adam": 2.0}}))
    assert "multiple" not in printed(found).split("- Of")[0]
    assert "No multiples" in printed(found)

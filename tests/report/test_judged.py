"""The verdicts on the page: the matrix, the pairs, and what is drawn of them."""

import math
from types import SimpleNamespace

import pytest

from fallline.protocol import Seeds
from fallline.report.colors import looks
from fallline.report.judged import ranked_names, verdict_pairs, verdict_sections
from fallline.statistics import Terms, verdict
from fallline.study.judging import Judged

MOMENTUM = [0.30, 0.33, 0.29, 0.31, 0.34, 0.28, 0.35]
ADAM = [0.26, 0.28, 0.27, 0.25, 0.28, 0.23, 0.27]
NADAM = [0.27, 0.27, 0.28, 0.24, 0.28, 0.22, 0.28]


def study(found, metric="test_loss", compared="optimizers", condition=None, higher=False, runs=None):
    terms = Terms(metric.replace("_", " "), higher, trials=9)
    judged = Judged("digits", condition or {}, compared, metric, verdict(found, terms), found)
    seeds = runs or Seeds(3, len(next(iter(found.values()))))
    return SimpleNamespace(verdicts=(judged,), specification=SimpleNamespace(runs=seeds))


@pytest.fixture
def three():
    return study({"momentum": MOMENTUM, "adam": ADAM, "nadam": NADAM})


STYLES = looks(["momentum", "adam", "nadam"])


def test_the_matrix_has_the_best_first_and_is_the_same_from_both_sides(three):
    (section,) = verdict_sections(three, STYLES)
    assert [line.name for line in section.lines][-1] == "momentum"
    standings = [[square and square.standing for square in line.squares] for line in section.lines]
    assert standings == [[None, "even", "better"], ["even", None, "better"], ["worse", "worse", None]]
    signs = [[square and square.sign for square in line.squares] for line in section.lines]
    assert signs[0][2] == "▲"
    assert signs[2][0] == "▼"
    for i, line in enumerate(section.lines):
        assert line.color == STYLES[line.name].color
        for j, square in enumerate(line.squares):
            if square:
                other = section.lines[j].squares[i]
                assert (square.pair, square.words, square.more) == (other.pair, other.words, other.more)


def test_a_square_has_the_lead_of_its_row_and_the_p_value_over_all_pairs(three):
    (section,) = verdict_sections(three, STYLES)
    by_name = {
        line.name: dict(zip([each.name for each in section.lines], line.squares, strict=True)) for line in section.lines
    }
    square = by_name["adam"]["momentum"]
    assert (square.text, square.more) == ("+0.0500", "p = 0.047")
    assert by_name["momentum"]["adam"].text == "−0.0500"
    assert square.words.startswith("adam reaches lower test loss than momentum")


def test_what_is_ahead_but_not_told_apart_has_an_open_sign():
    # Five of seven seeds: ahead, and no evidence.
    found = study({"a": [1.0, 1, 1, 1, 1, 1, 1], "b": [2.0, 2, 2, 2, 2, 0.5, 0.5], "c": [9.0, 9, 9, 9, 9, 9, 9]})
    (section,) = verdict_sections(found, looks("abc"))
    first, second = section.lines[0].squares[1], section.lines[1].squares[0]
    assert [line.name for line in section.lines] == ["a", "b", "c"]
    assert (first.standing, first.sign, second.standing, second.sign) == ("ahead", "△", "behind", "▽")


def test_too_few_seeds_give_no_p_value_and_no_claim():
    (section,) = verdict_sections(study({"a": [1.0, 1, 1], "b": [2.0, 2, 2], "c": [3.0, 3, 3]}), looks("abc"))
    squares = [square for line in section.lines for square in line.squares if square]
    assert {square.standing for square in squares} == {"ahead", "behind"}
    assert {square.more for square in squares} == {""}
    cells = {cell.heading: cell.text for cell in section.entries[0].cells}
    assert (cells["verdict"], cells["p over all pairs"]) == ("too few seeds", "-")


def test_two_have_no_matrix_and_all_pairs_are_a_table(three):
    (section,) = verdict_sections(study({"momentum": MOMENTUM, "adam": ADAM}), STYLES)
    assert section.lines == ()
    assert section.sentences == (section.words,)
    (entry,) = section.entries
    cells = {cell.heading: (cell.text, cell.more) for cell in entry.cells}
    assert entry.optimizer == "adam"
    assert cells["against"] == ("momentum", "")
    assert cells["verdict"] == ("lower test loss", "")
    assert cells["typical difference in test loss"] == ("0.0500", "[0.0350, 0.0700]")
    assert cells["seeds ahead"] == ("7 of 7", "")
    assert len(verdict_sections(three, STYLES)[0].entries) == 3


def test_a_pair_is_drawn_seed_by_seed_above_zero_where_the_first_is_ahead():
    (drawn,) = verdict_pairs(study({"momentum": MOMENTUM, "adam": ADAM}), STYLES)
    (pair,) = drawn["pairs"]
    assert (pair["first"], pair["second"]) == ("adam", "momentum")
    assert pair["leads"] == pytest.approx([0.04, 0.05, 0.02, 0.06, 0.06, 0.05, 0.08])
    assert pair["colors"] == [STYLES["adam"].color, STYLES["momentum"].color]
    assert (pair["estimate"], pair["low"], pair["high"]) == pytest.approx((0.05, 0.035, 0.07))
    assert drawn["seeds"] == list(range(3, 10))
    assert drawn["better"] == "lower test loss"


def test_of_accuracies_the_higher_is_ahead():
    accuracies = {name: [1 - loss for loss in losses] for name, losses in {"momentum": MOMENTUM, "adam": ADAM}.items()}
    (drawn,) = verdict_pairs(study(accuracies, "test_accuracy", higher=True), STYLES)
    (pair,) = drawn["pairs"]
    assert pair["first"] == "adam"
    assert pair["leads"] == pytest.approx([0.04, 0.05, 0.02, 0.06, 0.06, 0.05, 0.08])
    assert drawn["better"] == "higher test accuracy"


def test_diverged_runs_are_open_ends():
    (drawn,) = verdict_pairs(study({"a": [1.0] * 6, "b": [math.inf, math.nan, 2.0, 2.0, 2.0, 2.0]}), looks("ab"))
    (pair,) = drawn["pairs"]
    assert pair["leads"] == ["inf", "inf", 1.0, 1.0, 1.0, 1.0]
    assert pair["high"] == "inf"


def test_a_diverged_accuracy_is_behind():
    (drawn,) = verdict_pairs(
        study({"a": [0.5] * 6, "b": [math.nan, 0.4, 0.4, 0.4, 0.4, 0.4]}, "test_accuracy", higher=True), looks("ab")
    )
    (pair,) = drawn["pairs"]
    assert pair["leads"][0] == "inf"
    assert pair["leads"][1:] == pytest.approx([0.1] * 5)


def test_conditions_have_looks_of_their_own_and_repeats_are_numbered_from_one():
    runs = Seeds(3, 2, 7)
    found = {"l2=0": ADAM, "l2=0.1": MOMENTUM}
    judged = Judged(
        "digits", {}, "conditions", "test_loss", verdict(found, Terms("test loss", search_repeated=True)), found
    )
    (drawn,) = verdict_pairs(SimpleNamespace(verdicts=(judged,), specification=SimpleNamespace(runs=runs)), STYLES)
    assert drawn["unit"] == "repeat"
    assert drawn["seeds"] == [1, 2, 3, 4, 5, 6, 7]
    assert len(set(drawn["pairs"][0]["colors"])) == 2
    assert ranked_names(judged) == ["l2=0", "l2=0.1"]


def test_titles_are_given_where_there_are_several_verdicts(three):
    one = study({"momentum": MOMENTUM, "adam": ADAM}, condition={"batch_size": 32})
    several = SimpleNamespace(verdicts=(*three.verdicts, *one.verdicts))
    assert [section.title for section in verdict_sections(several, STYLES)] == ["digits", "digits, batch_size=32"]
    assert verdict_sections(three, STYLES)[0].title == ""

import math

import pytest

from fallline.study.across_problems import across_problems
from tests.study.by_hand import row
from tests.study.studies import X, compare, line


def rows(losses, **changes):
    return [row(problem, name, loss, **changes) for problem, found in losses.items() for name, loss in found.items()]


def test_ratios_and_ranks_over_problems():
    found = across_problems(
        rows({"a": {"sgd": 2.0, "adam": 1.0}, "b": {"sgd": 8.0, "adam": 2.0}, "c": {"sgd": 4.0, "adam": 4.0}})
    )
    assert found.problems == ("a", "b", "c")
    assert [entrant.label for entrant in found.entrants] == ["adam", "sgd"]
    assert found.losses == ((1.0, 2.0, 4.0), (2.0, 8.0, 4.0))
    assert [rank.estimate for rank in found.ranks] == pytest.approx([(1 + 1 + 1.5) / 3, (2 + 2 + 1.5) / 3])
    (pair,) = found.ratios
    assert (pair.first, pair.second) == ("adam", "sgd")
    assert pair.ratio.geometric_mean == pytest.approx(0.5)
    assert (pair.ratio.interval.low, pair.ratio.interval.high) == pytest.approx((0.25, 1.0))
    back = found.between("sgd", "adam").interval
    assert (back.low, back.high) == pytest.approx((1.0, 4.0))


def test_one_problem_or_one_entrant_is_nothing_to_compare():
    assert across_problems([]) is None
    assert across_problems(rows({"a": {"sgd": 1.0, "adam": 2.0}})) is None
    assert across_problems(rows({"a": {"sgd": 1.0}, "b": {"sgd": 2.0}})) is None


def test_a_loss_of_zero_or_less_leaves_ranks_alone():
    found = across_problems(rows({"a": {"sgd": 1.0, "adam": 0.0}, "b": {"sgd": 1.0, "adam": 2.0}}))
    assert found.ratios == ()
    assert [rank.estimate for rank in found.ranks] == [1.5, 1.5]


def test_a_diverged_optimizer_is_last_and_its_factor_infinite():
    found = across_problems(rows({"a": {"sgd": math.inf, "adam": 1.0}, "b": {"sgd": math.inf, "adam": 2.0}}))
    assert [rank.estimate for rank in found.ranks] == [1.0, 2.0]
    (pair,) = found.ratios
    assert (pair.first, pair.ratio.geometric_mean, pair.ratio.interval.estimate) == ("adam", None, 0.0)


def test_conditions_are_matched_by_what_the_study_varies():
    own = {"a": {"width": 3}, "b": {"depth": 2}}
    found = across_problems(
        [
            row(problem, name, loss, factors={**own[problem], "dropout": dropout})
            for problem in own
            for name in ("sgd", "adam")
            for dropout, loss in ((0.0, 1.0), (0.5, 2.0))
        ]
    )
    assert [entrant.label for entrant in found.entrants] == [
        "sgd (dropout=0)",
        "adam (dropout=0)",
        "sgd (dropout=0.5)",
        "adam (dropout=0.5)",
    ]
    assert found.entrants[2].condition == {"dropout": 0.5}


def test_each_problem_is_judged_by_the_best_that_it_has():
    found = across_problems(
        [
            *rows({"a": {"sgd": 1.0, "adam": 2.0}}, quantity="validation_loss"),
            *rows({"b": {"sgd": 1.0, "adam": 2.0}}),
        ]
    )
    assert found.quantities == {"a": "validation_loss", "b": "test_loss"}


def test_a_study_of_two_problems_has_it(tmp_path):
    results = compare(tmp_path, [line(), line(train=(X, X**2), name="curve")])
    told = results.to_json()["across_problems"]
    assert told["problems"] == ["line", "curve"]
    assert {entrant["label"] for entrant in told["entrants"]} == {"sgd", "adam"}
    assert len(told["ratios"]) == 1
    assert told["ratios"][0]["typical"]["level"] == pytest.approx(0.5)
    assert compare(tmp_path, store=tmp_path / "one").to_json()["across_problems"] is None

"""Paired comparisons: which runs are compared, what their differences are, and when a claim fails."""

import math

import pytest

from fallline.gallery.paired import difference, final, gap, lowers, raises, runs
from fallline.study.record import Record
from fallline.training import Curve, Ending, Outcome


def record(seed, train, test=0.0, diverged=False, **description):
    told = {"problem": "p", "factors": {"l1": 0.0}, "hyperparameters": {"lr": 0.1}, "schedule": "constant"}
    ending = Ending.DIVERGED if diverged else Ending.FINISHED
    curve = Curve({"step": [0.0, 5.0], "train_loss": [9.0, train], "test_loss": [9.0, test]})
    return Record({**told, "seed": seed, **description}, Outcome(ending, 5), curve, 0.0)


def test_runs_are_chosen_by_their_conditions_and_sorted_by_seed():
    several = [
        record(1, 1.0),
        record(0, 2.0),
        record(0, 3.0, factors={"l1": 0.5}),
        record(0, 4.0, hyperparameters={"lr": 0.3}),
        record(0, 5.0, schedule="cosine"),
    ]
    assert [r.final("train_loss") for r in runs(several, l1=0.0, lr=0.1, schedule="constant")] == [2.0, 1.0]
    assert [r.final("train_loss") for r in runs(several, l1=0.5)] == [3.0]
    assert [r.final("train_loss") for r in runs(several, lr=0.3)] == [4.0]
    assert [r.final("train_loss") for r in runs(several, schedule="cosine")] == [5.0]


def test_differences_are_taken_seed_by_seed():
    plain = [record(seed, 10.0**seed) for seed in range(6)]
    changed = [record(seed, 10.0**seed - 2 + 0.1 * seed) for seed in range(6)]
    found = difference(changed, plain, final("train_loss"))
    assert (found.median, found.low, found.high) == pytest.approx((-1.75, -2.0, -1.5))
    assert found.level == pytest.approx(1 - 2 / 2**6)


def test_the_gap_is_test_less_training_loss():
    assert gap(record(0, 1.0, test=3.5)) == 2.5


def test_two_that_diverged_do_not_differ_and_one_is_infinitely_worse():
    plain = [record(seed, 1.0, diverged=seed < 2) for seed in range(3)]
    changed = [record(seed, 1.0, diverged=seed < 1) for seed in range(3)]
    found = difference(changed, plain, final("train_loss"))
    assert (found.median, found.low, found.high) == (0.0, -math.inf, 0.0)


@pytest.mark.parametrize(
    ("by", "lower", "higher"),
    [(-1.0, True, False), (1.0, False, True), (0.0, False, False)],
    ids=["down", "up", "none"],
)
def test_a_claim_holds_only_where_the_whole_interval_lies_on_its_side(by, lower, higher):
    plain = [record(seed, 5.0) for seed in range(10)]
    changed = [record(seed, 5.0 + by) for seed in range(10)]
    assert lowers("x", changed, plain, final("train_loss")).passed is lower
    assert raises("x", changed, plain, final("train_loss")).passed is higher
    mixed = [record(seed, 5.0 + (by if seed < 8 else -by)) for seed in range(10)]
    assert not lowers("x", mixed, plain, final("train_loss")).passed
    assert not raises("x", mixed, plain, final("train_loss")).passed


def test_what_is_printed_names_median_interval_level_and_pairs():
    plain = [record(seed, 5.0) for seed in range(10)]
    changed = [record(seed, 5.0 - 0.125 * (1 + seed)) for seed in range(10)]
    check = lowers("x", changed, plain, final("train_loss"))
    assert check.measured == "-0.688 [-1.12, -0.25], 97.9% of 10 pairs"
    assert check.expected == "an interval below 0"


def test_runs_of_other_seeds_or_problems_are_no_pairs():
    for other in (record(1, 1.0), record(0, 1.0, problem="q")):
        with pytest.raises(AssertionError):
            difference([other], [record(0, 1.0)], final("train_loss"))

"""What is measured of a rule beside torch's optimizer, on curves made by hand."""

import math

import pytest

from fallline.gallery.concise import beside_torch, epoch_means
from fallline.study import Record
from fallline.training import Curve, Ending, Outcome


def record(steps: list[int], train: list[float], batch: list[float]) -> Record:
    curve = Curve({"step": [float(step) for step in steps], "train_loss": train, "batch_loss": [math.nan, *batch]})
    return Record({"optimizer": "torch.optim.Any"}, Outcome(Ending.FINISHED, steps[-1]), curve, 1.0)


def test_an_epoch_mean_weighs_each_stretch_by_its_steps() -> None:
    run = record([0, 3, 4, 6, 8], [9, 9, 9, 9, 9], [4.0, 8.0, 1.0, 3.0])
    assert epoch_means(run, steps_per_epoch=4) == [5.0, 2.0]


def test_trainings_are_compared_where_both_were_evaluated() -> None:
    ours = record([0, 2, 3, 4, 8], [4.0, 3.0, 1.0, 2.0, 1.0], [5.0, 5.0, 5.0, 7.0])
    theirs = record([0, 1, 2, 4], [4.0, 9.0, 2.0, 2.0], [4.0, 4.0, 4.0])
    first, means = beside_torch([(ours, theirs)], steps_per_epoch=4)
    assert first.measured == pytest.approx(1 / 9)
    assert means.measured == pytest.approx(1 / 4)
    assert not first.passed
    assert not means.passed


def test_later_losses_do_not_count_among_the_first() -> None:
    ours = record([0, 100, 200], [2.0, 1.0, 0.5], [1.5, 0.7])
    theirs = record([0, 100, 200], [2.0, 1.0, 0.6], [1.5, 0.7])
    assert [check.passed for check in beside_torch([(ours, theirs)], steps_per_epoch=100)] == [True, True]

"""What is measured of a rule beside torch's optimizer, on losses made by hand."""

import pytest

from fallline.gallery.concise import beside_torch, epoch_means, in_means, keeps
from fallline.study import Record
from fallline.training import Curve, Ending, Outcome


def record(losses: list[float], every: int = 1) -> Record:
    curve = Curve({"step": [0.0]}, {every * place: loss for place, loss in enumerate(losses, start=1)})
    return Record({"optimizer": "torch.optim.Any"}, Outcome(Ending.FINISHED, len(losses)), curve, 1.0)


def test_means_are_of_whole_stretches_under_their_last_step() -> None:
    run = record([4.0, 5.0, 6.0, 5.0, 1.0, 3.0, 2.0, 2.0, 7.0])
    assert epoch_means(run, steps_per_epoch=4) == [5.0, 2.0]
    assert in_means(run, 3) == {3: 5.0, 6: 3.0, 9: pytest.approx(11 / 3)}


def test_trainings_are_compared_as_far_as_both_were_trained() -> None:
    ours = record([4.0] * 100 + [5.0] * 100)
    theirs = record([4.0] * 49 + [5.0] + [4.0] * 50)
    first, means = beside_torch([(ours, theirs)], steps_per_epoch=50)
    assert first.measured == pytest.approx(1 / 5)
    assert means.measured == pytest.approx((4.02 - 4) / 4.02)
    assert (first.passed, means.passed) == (False, True)


def test_later_losses_do_not_count_among_the_first() -> None:
    ours, theirs = record([2.0] * 199 + [1.0]), record([2.0] * 199 + [1.1])
    assert [check.passed for check in beside_torch([(ours, theirs)], steps_per_epoch=100)] == [True, True]


def test_on_all_rows_the_evaluations_among_the_first_steps_are_compared() -> None:
    ours, theirs = record([2.0] * 200), record([2.0] * 50 + [3.0] * 150)
    for run, losses in ((ours, [4.0, 3.0, 1.0]), (theirs, [4.0, 3.5, 2.0])):
        run.curve.columns.update({"step": [0.0, 100.0, 101.0], "train_loss": losses})
    assert beside_torch([(ours, theirs)], steps_per_epoch=100, on_all_rows=True)[0].measured == pytest.approx(1 / 8)


def test_a_step_whose_loss_is_missing_is_seen() -> None:
    assert keeps(record([1.0] * 60), 30, 60).passed
    assert not keeps(record([1.0] * 60), 30, 90).passed
    assert not keeps(record([1.0] * 60, every=2), 30, 60).passed

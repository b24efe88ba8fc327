"""Times to a target, from curves written by hand."""

import math

import pytest

from fallline.study.reached import reached
from fallline.study.record import Record
from fallline.study.target import Target
from fallline.training import Curve, Ending, Outcome

TARGET = Target.parse("test_loss<=0.5")


def run(losses, every=10, ending=Ending.FINISHED, batch=8, a_step=1, **columns):
    steps = [every * place for place in range(len(losses))]
    curve = {
        "step": steps,
        "samples": [batch * step for step in steps],
        "evaluations": [a_step * step for step in steps],
        "test_loss": losses,
        **columns,
    }
    return Record({}, Outcome(ending, steps[-1]), Curve({k: v for k, v in curve.items() if v is not None}), 1.0)


def test_runs_are_timed_at_the_first_evaluation_that_meets_the_target():
    found = reached([run([1, 0.6, 0.4, 0.6]), run([1, 0.5, 0.4, 0.4]), run([1, 1, 1, 0.6])], TARGET, 30)
    assert found["steps"].first == (20, 10, math.inf)
    assert found["steps"].watched == (30, 30, 30)
    assert found["samples"].first == (160, 80, math.inf)
    times = found["steps"].statistics
    assert (times.hits.count, times.hits.of, times.median) == (2, 3, 20)
    assert times.cost == (20 + 10 + 30) / 2
    assert times.times == (10, 20)
    assert times.without == pytest.approx((2 / 3, 1 / 3))


def test_further_gradients_of_a_step_are_counted():
    found = reached([run([1, 0.4], a_step=2)], TARGET, 10)
    assert (found["steps"].first, found["evaluations"].first) == ((10,), (20,))


@pytest.mark.parametrize("ending", [Ending.DIVERGED, Ending.STOPPED])
def test_a_run_that_ended_early_is_watched_for_the_whole_budget_and_spends_what_it_was_trained(ending):
    early = run([1, 2, 3], ending=ending, a_step=2)
    found = reached([early, run([1, 1, 1, 1, 0.5], a_step=2)], TARGET, 40, seconds_a_step=0.5)
    assert found["steps"].watched == (40, 40)
    assert found["steps"].spent == (20, 40)
    assert found["samples"].watched == (320, 320)
    assert found["evaluations"].watched == (80, 80)
    assert found["seconds"].watched == (20, 20)
    # Had it been censored at 20, the share without a hit would have fallen to 0.
    assert found["steps"].statistics.without == (0.5,)
    assert found["seconds"].statistics.cost == (20 + 40) * 0.5


def test_a_hit_before_the_divergence_is_a_hit():
    found = reached([run([1, 0.4, 99], ending=Ending.DIVERGED)], TARGET, 40)
    assert found["steps"].first == (10,)


def test_what_was_not_recorded_is_left_out():
    assert reached([run([1, 0.4])], Target.parse("validation_loss<=1"), 10) == {}
    assert list(reached([run([1, 0.4], evaluations=None)], TARGET, 10)) == ["steps", "samples"]
    assert list(reached([run([1, 0.4])], TARGET, 10, 0.1)) == ["steps", "samples", "evaluations", "seconds"]


def test_a_training_that_ended_before_its_first_step():
    found = reached([run([math.nan], ending=Ending.DIVERGED), run([1, 0.4])], TARGET, 10)
    assert found["samples"].watched == (80, 80)
    assert found["samples"].spent == (0, 80)

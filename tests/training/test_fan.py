import math

import pytest

from fallline.training.fan import Fan, Trial
from fallline.training.ramp import Ramp
from fallline.training.rate_search import decide


def trials(**losses):
    """A fan over 1e-4, 1e-3, ..., 1 from a start of 10: losses by exponent, None for diverged."""
    grid = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    found = Fan(grid, steps=5, start=10.0)
    for name, loss in losses.items():
        place = int(name[1:])
        found.trials[place] = Trial(grid[place], math.nan if loss is None else loss, loss is None)
    return found


@pytest.mark.parametrize(
    ("fan", "wanted"),
    [
        (trials(p2=1.0, p3=0.5, p4=4.0), None),
        (trials(p2=0.5, p3=1.0, p4=4.0), 1),
        (trials(p1=4.0, p2=1.0, p3=0.5), 4),
        (trials(p1=4.0, p2=0.5, p3=None), None),
        (trials(p2=None, p3=None, p4=None), 1),
        (trials(p2=10.0, p3=10.5, p4=None), 1),
        (trials(p2=1.0, p3=0.99, p4=4.0), 1),
    ],
)
def test_the_fan_grows_where_better_may_lie(fan, wanted):
    assert fan.wanted() == wanted


@pytest.mark.parametrize(
    ("fan", "suggestion", "told"),
    [
        (trials(p1=4.0, p2=0.5, p3=2.0), 0.01, "the least among 3 rates"),
        (trials(p1=4.0, p2=0.5, p3=None), 0.0056, "0.1 diverged, so this lies a little below"),
        (trials(p1=4.0, p2=0.5, p3=0.55, p4=4.0), 0.032, "0.01 to 0.1 did as well"),
        (
            trials(p0=0.5, p1=0.5, p2=0.5, p3=0.5, p4=0.5),
            0.001,
            "1 did as well, and this lies nearer to their middle",
        ),
        (trials(p2=4.0, p3=2.0, p4=0.5), None, "the highest"),
        (trials(p0=0.5, p1=2.0, p2=4.0), None, "the lowest"),
        (trials(p0=None, p1=None), None, "Every short training diverged"),
        (trials(p1=9.95, p2=None), None, "never fell"),
    ],
)
def test_decisions(fan, suggestion, told):
    rate, reason = decide(fan, "validation")
    assert rate == suggestion
    assert told in reason


def test_the_window_of_a_ramp():
    lr = tuple(10.0**i for i in range(-15, 0))
    smoothed = (4.0,) * 10 + (3.8, 3.5, 1.0, 2.0, 8.0)
    ramp = Ramp(lr, smoothed, smoothed)
    assert ramp.window == (lr[10], lr[14])
    assert not ramp.failed_at_once
    assert Ramp(lr[:2], (1.0, math.nan), (1.0, math.nan)).failed_at_once

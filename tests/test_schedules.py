"""Schedules: against torch's own where torch has the shape, values by hand elsewhere."""

import dataclasses
import math
import warnings

import pytest
import torch
from torch.optim import lr_scheduler

from fallline.errors import InputError
from fallline.schedules import (
    BUILT_IN,
    Constant,
    Cosine,
    Exponential,
    InverseSqrt,
    OneCycle,
    Plateau,
    Polynomial,
    Schedule,
    Step,
    Warmup,
    length,
    schedule,
)

TOTAL = 40


@dataclasses.dataclass(frozen=True)
class Halving(Schedule):
    """One's own: halved every so many steps."""

    steps: float = 10.0

    def shape(self, step, total, losses):
        return 0.5 ** (step // self.steps)


def torchs(make):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(TOTAL):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():
            # OneCycleLR writes momentum too, where there is one, and warns of its last step.
            warnings.simplefilter("ignore")
            scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Step(every=7, factor=0.3), lambda o: lr_scheduler.StepLR(o, 7, 0.3)),
        (Step(every=0.25), lambda o: lr_scheduler.StepLR(o, 10, 0.1)),
        (Exponential(final=0.05), lambda o: lr_scheduler.ExponentialLR(o, 0.05 ** (1 / TOTAL))),
        (Cosine(final=0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL, eta_min=0.1)),
        (Polynomial(power=2.0), lambda o: lr_scheduler.PolynomialLR(o, TOTAL, power=2.0)),
        (Constant(), lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    ],
    ids=lambda given: str(given) if isinstance(given, Schedule) else "torch",
)
def test_shapes_are_torchs(ours, theirs):
    assert [ours(step, TOTAL) for step in range(TOTAL)] == pytest.approx(torchs(theirs), rel=1e-9)


def test_one_cycle_is_torchs_with_the_peak_at_the_same_step():
    # torch puts the peak at pct_start * total_steps - 1 and the end at total_steps - 1.
    theirs = torchs(lambda o: lr_scheduler.OneCycleLR(o, 1.0, 41, pct_start=13 / 41, cycle_momentum=False))
    assert [OneCycle()(step, TOTAL) for step in range(TOTAL)] == pytest.approx(theirs)
    assert OneCycle()(12, TOTAL) == 1.0


def test_warmup_rises_evenly_and_the_shape_comes_after():
    assert [Warmup(warmup=4)(step, TOTAL) for step in range(6)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    warmed = Cosine(warmup=0.25)
    assert [warmed(step, TOTAL) for step in (0, 9)] == pytest.approx([1 / 11, 10 / 11])
    assert [warmed(10 + step, TOTAL) for step in range(30)] == [Cosine()(step, 30) for step in range(30)]


def test_inverse_sqrt_falls_with_the_root_of_the_step():
    rates = [InverseSqrt(warmup=4)(step, TOTAL) for step in (0, 1, 3, 15, 35)]
    assert rates == pytest.approx([0.25, 0.5, 1.0, 0.5, 1 / 3])


def test_plateau_waits_and_then_multiplies():
    plateau = Plateau(factor=0.5, patience=4)
    seen = [(0, 1.0), (2, 0.5), (4, 0.6), (6, 0.5), (8, 0.7), (10, 0.9), (12, 0.4), (14, 0.41)]
    multipliers = [plateau(at, TOTAL, seen[: i + 1]) for i, (at, _) in enumerate(seen)]
    # 0.5 at step 2 is not undercut by step 6 (4 steps on), nor by step 10; 0.4 at step 12 begins anew.
    assert multipliers == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert plateau(20, TOTAL, [(0, 1.0), (10, math.nan)]) == 0.5
    assert Plateau(patience=4, warmup=6)(20, TOTAL, [(0, 1.0), (6, 1.0), (10, 1.0)]) == pytest.approx(0.01)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_schedule_stays_within_its_rate_and_is_found_by_its_text(name):
    plain = BUILT_IN[name]()
    rates = [plain(step, TOTAL, [(0, 1.0)]) for step in range(TOTAL)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert any(rate > 0.9 for rate in rates)
    assert schedule(name) == schedule(str(plain)) == schedule(type(plain)) == plain
    assert str(plain) == name
    own = dataclasses.replace(plain, warmup=0.05)
    assert schedule(str(own)) == own


def test_a_length_below_one_is_a_fraction():
    assert [length(given, 200) for given in (0.0, 0.1, 0.999, 1, 5, 5.4)] == [0, 20, 200, 1, 5, 5]


def test_a_third_is_a_third_of_any_number_of_steps():
    for total in (9, 10, 100, 1000):
        rates = [Step()(step, total) for step in range(total)]
        assert sorted(set(rates), reverse=True) == pytest.approx([1, 0.1, 0.01])
        assert rates.count(1.0) == math.ceil(total / 3)


@pytest.mark.parametrize("name", BUILT_IN)
def test_after_the_last_step_the_rate_stays(name):
    given = BUILT_IN[name](warmup=0.1)
    assert given(TOTAL + 7, TOTAL) == pytest.approx(given(TOTAL, TOTAL)) or name == "inverse-sqrt"
    assert Polynomial(power=0.5)(TOTAL + 7, TOTAL) == 0


def test_short_trainings_divide_by_nothing():
    for kind in BUILT_IN.values():
        assert [math.isfinite(kind(warmup=3)(step, 2)) for step in range(2)] == [True, True]


def test_ones_own_schedule_by_reference(tmp_path):
    assert Halving()(25, TOTAL) == 0.25
    assert schedule(str(Halving(steps=5.0))) == Halving(steps=5.0)
    assert str(Halving()).endswith("test_schedules:Halving")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cosin", "Did you mean 'cosine'"),
        ("cosine:end=0.1", "setting of schedule cosine"),
        ("cosine:final=low", "final must be a number; got 'low'"),
        ("step:every=-1", "every must be a number of at least 0; got -1.0"),
        ("exponential:final=nan", "final must be a number of at least 0; got nan"),
        ("fallline.rules:Adam", "must be a name or a fallline Schedule"),
        ("nowhere.py:Mine", "no file"),
        (3, "must be a name or a fallline Schedule; got 3"),
    ],
)
def test_a_wrong_schedule_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        schedule(text)

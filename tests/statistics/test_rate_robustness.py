import math

import pytest

from fallline import InputError
from fallline.statistics import rate_robustness


def test_widths_worked_by_hand():
    # Decades -4..0. 5 %: up to 1.05. From 1.2 to 1.0 the last quarter, from 1.0 to 1.02 all, from 1.02 to 1.32 a tenth.
    found = rate_robustness([1e-4, 1e-3, 1e-2, 1e-1, 1.0], [3.0, 1.2, 1.0, 1.02, 1.32])
    assert found.decades[0.05] == pytest.approx(0.25 + 1 + 0.1)
    assert found.decades[0.1] == pytest.approx(0.5 + 1 + 0.08 / 0.3)
    assert (found.best_rate, found.best_loss, found.diverged) == (1e-2, 1.0, 0.0)
    assert not any(found.at_edge.values())


def test_rates_in_any_order_and_unevenly_spaced():
    found = rate_robustness([1.0, 0.01, 0.001], [1.0, 1.0, 1.0])
    assert found.decades[0.05] == pytest.approx(3.0)
    assert all(found.at_edge.values())


@pytest.mark.parametrize("losses", [[1.0, 1.02, 9.0], [9.0, 1.07, 1.0]])
def test_either_end_of_the_rates_is_an_edge(losses):
    assert all(rate_robustness([0.1, 1.0, 10.0], losses).at_edge.values())
    inside = rate_robustness([0.1, 1.0, 10.0, 100.0], [1.07, 1.0, 2.0, 3.0]).at_edge
    assert inside == {0.05: False, 0.1: True}


def test_nothing_is_added_beside_a_rate_that_diverged():
    found = rate_robustness([0.01, 0.1, 1.0], [math.nan, 1.0, math.inf])
    assert found.decades == {0.05: 0.0, 0.1: 0.0}
    assert found.diverged == pytest.approx(2 / 3)


def test_both_sides_of_a_bad_rate_count():
    found = rate_robustness([0.001, 0.01, 0.1, 1.0, 10.0], [1.0, 1.0, math.inf, 1.0, 1.0])
    assert found.decades[0.05] == pytest.approx(2.0)


def test_the_loss_of_a_rate_is_its_median_over_seeds():
    found = rate_robustness([0.1, 1.0, 10.0], [[1.0, 2.0, 5.0], [3.0, 1.0, math.nan], [2.0, 4.0, math.inf]])
    assert (found.best_rate, found.best_loss) == (0.1, 2.0)
    assert found.diverged == pytest.approx(2 / 9)


@pytest.mark.parametrize("best", [0.0, -0.5])
def test_within_a_fraction_of_nothing_says_nothing(best):
    assert rate_robustness([0.1, 1.0], [best, 1.0]).decades == {0.05: None, 0.1: None}


def test_where_every_rate_diverged_there_is_no_width():
    found = rate_robustness([0.1, 1.0], [math.inf, math.nan])
    assert (found.decades[0.05], found.at_edge[0.05], found.diverged) == (None, False, 1.0)


@pytest.mark.parametrize("rates", [[0.1], [0.1, 0.1], [0.0, 1.0], [0.1, math.inf], [-0.1, 1.0]])
def test_rates_that_have_no_logarithm_or_no_loss(rates):
    with pytest.raises(InputError, match="rates must be different and above 0, one for each of 2 losses"):
        rate_robustness(rates, [1.0, 2.0])


def test_the_stretches_are_the_rates_themselves():
    # As in the first test: up from 10^-2.25 (5 %) or 10^-2.5 (10 %), down to 10^-0.9 or 10^(-1 + 0.08 / 0.3).
    found = rate_robustness([1e-4, 1e-3, 1e-2, 1e-1, 1.0], [3.0, 1.2, 1.0, 1.02, 1.32])
    ((low, high),) = found.spans[0.05]
    assert (low, high) == pytest.approx((10**-2.25, 10**-0.9))
    assert found.spans[0.1] == (pytest.approx((10**-2.5, 10 ** (-1 + 0.08 / 0.3))),)


def test_a_bad_rate_parts_two_stretches_and_one_alone_has_no_width():
    parted = rate_robustness([0.001, 0.01, 0.1, 1.0, 10.0], [1.0, 1.0, math.inf, 1.0, 1.0])
    assert parted.spans[0.05] == (pytest.approx((0.001, 0.01)), pytest.approx((1.0, 10.0)))
    alone = rate_robustness([0.01, 0.1, 1.0], [math.nan, 1.0, math.inf])
    assert alone.spans[0.05] == (pytest.approx((0.1, 0.1)),)
    assert rate_robustness([0.1, 1.0], [0.0, 1.0]).spans == {0.05: (), 0.1: ()}


def test_the_least_rate_at_which_any_seed_diverged():
    found = rate_robustness([1.0, 10.0, 0.1], [[1.0, math.inf, 1.0], [math.nan, 2.0, 1.0], [1.0, 2.0, 1.0]])
    assert found.diverging == 1.0
    assert rate_robustness([0.1, 1.0], [1.0, 2.0]).diverging is None

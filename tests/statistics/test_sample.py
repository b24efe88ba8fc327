import math
import subprocess
import sys

import pytest

from fallline import InputError
from fallline.statistics import differences, expected_best, median_interval, paired, seeds_needed, signed_rank_interval


def test_the_room_needs_neither_torch_nor_what_takes_long_to_import():
    code = "import sys, fallline.statistics; assert not {'torch', 'scipy.stats', 'scipy.optimize'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired([1.0], [1.0, 2.0]), "second must have one result for each of first's 1; got 2."),
        (lambda: paired([], []), "first must be a sequence of one number or more; got []."),
        (lambda: paired(["a"], [1.0]), "first must be numbers, NaN or infinite where a run diverged; got ['a']."),
        (lambda: expected_best(3.0), "results must be a sequence of one number or more; got 3.0."),
        (lambda: seeds_needed(1), "optimizers must be a whole number of at least 2; got 1."),
        (lambda: seeds_needed(2, 0.0), "alpha must be between 0 and 1, both excluded; got 0.0."),
        (lambda: signed_rank_interval([1.0], 95), "level must be between 0 and 1, both excluded; got 95."),
        (lambda: signed_rank_interval([]), "differences must be a sequence of one number or more; got []."),
        (lambda: median_interval([]), "values must be a sequence of one number or more; got []."),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(InputError) as raised:
        call()
    assert str(raised.value) == message


def test_differences_of_runs_that_diverged():
    found = differences([1.0, math.nan, 3.0, math.inf, -math.inf], [0.5, 1.0, math.inf, math.nan, math.inf])
    assert found.tolist() == [0.5, math.inf, -math.inf, 0.0, 0.0]


def test_equal_steps_of_accuracy_are_ties_in_spite_of_rounding():
    found = differences([0.97, 0.02, 0.29], [0.96, 0.01, 0.28])
    assert 0.97 - 0.96 != 0.02 - 0.01
    assert len(set(found.tolist())) == 1


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_rounding_keeps_what_is_larger_than_rounding_errors(scale):
    found = differences([1.0000001 * scale, 2 * scale], [scale, 3 * scale])
    assert found.tolist() == pytest.approx([1e-7 * scale, -scale], rel=1e-4, abs=0.0)

import numpy as np
import pytest

from fallline.errors import InputError
from fallline.rules import SGD, Adagrad
from fallline.training import trace


@pytest.mark.parametrize(("lr", "printed"), [(0.4, ("-2.382563", "-0.158591")), (2.0, ("-0.002295", "-0.000000"))])
def test_adagrad_prints_the_tutorials_digits(lr, printed):
    path = trace("quadratic", Adagrad(lr=lr, eps=1e-6, eps_inside_root=True), start=(-5, -2), steps=20)
    assert path.shape == (21, 2)
    assert tuple(f"{x:.6f}" for x in path[-1]) == printed


def test_eps_outside_the_root_differs_in_the_last_digit():
    path = trace("quadratic", Adagrad(lr=0.4, eps=1e-6), start=(-5, -2), steps=20)
    assert f"{path[-1][0]:.6f}" == "-2.382564"


def test_gradient_descent_by_hand():
    path = trace("quadratic", SGD(lr=0.1), start=(-5, -2), steps=2)
    assert np.allclose(path, [(-5, -2), (-4.9, -1.2), (-4.802, -0.72)])


def test_a_path_may_leave_the_finite_numbers():
    assert not np.isfinite(trace("rosenbrock", SGD(lr=1.0), steps=20)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": (1,)}, "two finite"),
        ({"start": (1, float("nan"))}, "two finite"),
        ({"steps": 0}, "at least 1"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InputError, match=message):
        trace("quadratic", SGD(lr=0.1), **change)

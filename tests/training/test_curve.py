import pytest

from fallline.errors import InputError
from fallline.training import Curve, evaluation_steps, first_reached


def test_evaluations_are_at_the_start_at_epoch_ends_and_at_twenty_points():
    steps = evaluation_steps(60, 30)
    assert {0, 30, 60} <= set(steps)
    assert len(steps) >= 21
    assert evaluation_steps(300, 10) == tuple(range(0, 301, 10))
    assert evaluation_steps(5, 100) == (0, 1, 2, 3, 4, 5)
    assert set(range(0, 61, 7)) <= set(evaluation_steps(60, 30, every=7))
    with pytest.raises(InputError, match="at least 1 step"):
        evaluation_steps(0, 1)


def test_the_first_step_that_meets_a_target():
    curve = Curve()
    for step, accuracy in enumerate([0.1, 0.5, 0.4, 0.9]):
        curve.append({"step": step * 10, "accuracy": accuracy})
    assert first_reached(curve, "accuracy", True, 0.5) == 10
    assert first_reached(curve, "accuracy", True, 0.95) is None
    assert first_reached(curve, "accuracy", False, 0.1) == 0


def test_validation_data_decide_where_there_are_any():
    assert Curve({"step": [0], "train_loss": [1.0], "validation_loss": [1.0]}).deciding == "validation_loss"
    assert Curve({"step": [0], "train_loss": [1.0]}).deciding == "train_loss"

import math

from fallline.study.rate_batch_grid import rate_batch_grids
from tests.study.by_hand import record
from tests.study.studies import compare


def test_medians_by_batch_size_and_rate():
    cells = {(8, 0.1): [1.0, 3.0, 2.0], (8, 0.01): [math.inf, math.inf, 1.0], (4, 0.1): [5.0] * 3}
    records = [
        record(lr=lr, batch_size=size, seed=s, loss=loss)
        for (size, lr), runs in cells.items()
        for s, loss in enumerate(runs)
    ]
    (grid,) = rate_batch_grids(records)
    assert (grid.batch_sizes, grid.rates) == ((4, 8), (0.01, 0.1))
    assert grid.losses == ((None, 5.0), (math.inf, 2.0))
    assert (grid.problem, grid.optimizer, grid.quantity) == ("line", "sgd", "validation_loss")


def test_one_rate_or_one_batch_size_makes_no_grid():
    assert rate_batch_grids([]) == ()
    assert rate_batch_grids([record(lr=0.1, batch_size=4), record(lr=0.1, batch_size=8)]) == ()
    assert rate_batch_grids([record(lr=0.1, batch_size=4), record(lr=0.2, batch_size=4)]) == ()
    assert rate_batch_grids([record(lr=0.1, batch_size=None), record(lr=0.2, batch_size=None)]) == ()


def test_every_optimizer_and_condition_of_a_study_has_its_own(tmp_path):
    results = compare(tmp_path, batch_sizes=[4, 8], vary={"l2": [0.0, 0.1]})
    assert len(results.rate_batch_grids) == 2 * 2
    assert {grid.factors["l2"] for grid in results.rate_batch_grids} == {0.0, 0.1}
    assert compare(tmp_path, store=tmp_path / "one").rate_batch_grids == ()

import pytest
from torch import nn

import fallline as fl
from fallline.errors import InputError
from fallline.study import advice
from tests.fitting.fits import fit
from tests.fitting.fits import problem as steps
from tests.study.studies import compare, line

OWN = {"batch_size": 16, "epochs": 3}


@pytest.mark.parametrize("runner", ["loop", "population", "processes"])
def test_what_a_problem_brings_is_taken_by_every_runner(tmp_path, runner):
    problem = line(drop_last=True, **OWN)
    results = compare(tmp_path, problem, ["sgd"], epochs=None, validation=0.25, runner=runner)
    assert (results.specification.epochs, results.specification.batch_sizes) == (3, (16,))
    # 30 training rows: one full batch of 16 in every epoch.
    assert all(record.curve["step"][-1] == 3 for record in results.records)
    assert all(record.curve["samples"][-1] == 48 for record in results.records)


def test_what_is_asked_for_stands(tmp_path):
    results = compare(tmp_path, line(**OWN), ["sgd"], epochs=None, steps=5, batch_sizes=[8])
    assert (results.specification.steps, results.specification.epochs) == (5, None)
    assert results.specification.batch_sizes == (8,)
    few = compare(tmp_path, line(batch_size=500), ["sgd"], store=tmp_path / "few")
    assert few.specification.batch_sizes == (32,)


def test_problems_that_bring_different_ones_need_to_be_told(tmp_path):
    other = line(name="other", epochs=3, batch_size=16)
    with pytest.raises(InputError, match=r"epochs must be given, one for all problems: line brings 10, other brings 3"):
        compare(tmp_path, [line(), other], epochs=None)
    with pytest.raises(InputError, match="batch_sizes must be given, .*: line brings 64, other brings 16"):
        compare(tmp_path, [line(), other])
    assert len(compare(tmp_path, [line(), other], batch_sizes=[8], epochs=1).records) == 16


def test_a_fit_takes_them_too(tmp_path):
    fitted = fit(tmp_path / "f", of=steps(batch_size=24, epochs=2, drop_last=True), epochs=None, batch_size=None)
    # 48 of 60 rows train.
    assert fitted.curve["step"][-1] == 4
    assert fitted.record["batch_size"] == 24


def test_whether_the_last_batch_is_dropped_is_part_of_a_study(tmp_path):
    compare(tmp_path, line())
    with pytest.raises(InputError, match=r"drop last of line: False there, True here"):
        compare(tmp_path, line(drop_last=True))


def test_a_last_batch_that_is_dropped_is_not_rehearsed(tmp_path):
    def model():
        return nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    with pytest.raises(InputError, match="Expected more than 1 value per channel"):
        compare(tmp_path, line(model=model), ["sgd"], validation=0, batch_sizes=[39])
    results = compare(tmp_path, line(model=model, drop_last=True), ["sgd"], validation=0, batch_sizes=[39])
    assert results.records[0].curve["step"][-1] == 2


def test_the_next_command_names_a_batch_size_that_is_not_the_problems_own(tmp_path):
    given = {"steps": 1, "seeds": 1, "threads": 1, "progress": False}
    own = fl.compare("quadratic-deep", ["sgd:lr=0.001"], protocol="sweep", store=tmp_path / "a", **given)
    other = fl.compare(
        "quadratic-deep", ["sgd:lr=0.001"], protocol="sweep", batch_sizes=[64], store=tmp_path / "b", **given
    )
    assert "--batch-size" not in advice.next_command(own)
    assert "--batch-size 64" in advice.next_command(other)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1; got 0"),
        ({"epochs": 2.5}, "epochs must be a whole number of at least 1; got 2.5"),
        ({"drop_last": 1}, "drop_last must be true or false; got 1"),
    ],
)
def test_a_problem_that_brings_nonsense_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        line(**changes)

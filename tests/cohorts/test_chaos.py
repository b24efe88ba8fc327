"""Populations beside the loop where trainings are chaotic, and what counts as agreement there."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

import fallline as fl
from fallline.study.agreement import ALIKE, agreement, difference, moved_by_one_ulp
from fallline.study.record import Record
from fallline.training import Curve, Ending, Outcome
from tests.double import double_precision as double_precision


def member(losses, ending=Ending.FINISHED, step=3, lr=0.1):
    return Record({"lr": lr}, Outcome(ending, step), Curve({"step": [0, 1, 2], "train_loss": losses}), 0.0)


def network():
    hidden = nn.Linear(4, 12), nn.LeakyReLU(), nn.Linear(12, 12), nn.LeakyReLU()
    return nn.Sequential(*hidden, nn.Linear(12, 3))


@pytest.mark.usefixtures("double_precision")
def test_stable_members_of_a_population_agree_by_curve_and_chaotic_ones_by_outcome(tmp_path):
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(60, 4, generator=generator), torch.randint(3, (60,), generator=generator)
    problem = fl.Problem(network, cross_entropy, data, name="labels")
    given = {"lrs": [0.001, 0.3, 1.0], "batch_sizes": [8], "epochs": 60, "seeds": 2, "threads": 1, "progress": False}

    def records(problem, runner, store):
        return fl.compare(problem, ["adam"], protocol="sweep", runner=runner, store=tmp_path / store, **given).records

    loop = records(problem, "loop", "loop")
    moved = records(moved_by_one_ulp(problem), "loop", "moved")
    found = agreement(loop, records(problem, "population", "population"), moved)
    assert found.stable >= 2
    assert found.chaotic >= 2
    assert found.holds, found
    chaotic = [record for record, again in zip(loop, moved, strict=True) if difference(record, again) >= ALIKE]
    assert {record["hyperparameters"]["lr"] for record in chaotic} <= {0.3, 1.0}


def test_differences_are_relative_and_those_of_the_numbers_that_are_farthest_apart():
    assert difference(member([4.0, 2.0, 0.0]), member([4.0, 2.1, 0.0])) == pytest.approx(0.1 / 2.1)
    nan = float("nan")
    assert difference(member([nan, 2.0, 1.0]), member([nan, 2.0, 1.0])) == 0
    assert difference(member([nan, 2.0, 1.0]), member([4.0, 2.0, 1.0])) == float("inf")
    assert difference(member([4.0, 2.0, 1.0]), member([4.0, 2.0, 1.0], step=2)) == float("inf")
    assert difference(member([4.0, 2.0, 1.0]), member([4.0, 2.0, 1.0], Ending.DIVERGED)) == float("inf")


def test_chaotic_members_need_the_same_ending_alone():
    stable, wild = member([4.0, 2.0, 1.0]), member([4.0, 2.0, 3.0], lr=1.0)
    moved = [stable, member([4.0, 2.0, 3.1], lr=1.0)]
    alike = agreement([stable, wild], [stable, member([4.0, 1.0, 9.0], lr=1.0, step=2)], moved)
    assert dataclasses.astuple(alike) == (1, 0.0, 1, 1)
    assert alike.holds
    diverged = member([4.0, 2.0, 1.0], Ending.DIVERGED, lr=1.0)
    assert not agreement([stable, wild], [stable, diverged], moved).holds
    assert not agreement([stable, wild], [member([4.0, 2.0, 1.001]), wild], moved).holds


def test_every_weight_moves_by_one_ulp_and_factors_go_through():
    def model(width=3):
        return nn.Linear(1, width)

    x = torch.ones(4, 1)
    problem = fl.Problem(model, mse_loss, (x, x), factors={"width": 3})
    for given in (problem, dataclasses.replace(problem, model=nn.Linear(1, 5), factors={})):
        with torch.random.fork_rng():
            models = []
            for each in (given, moved_by_one_ulp(given)):
                torch.manual_seed(0)
                models.append(each.make_model({"width": 5}))
        for p, q in zip(*(one.parameters() for one in models), strict=True):
            assert p.shape[0] == 5
            assert (q > p).all()
            assert torch.equal(torch.nextafter(q, p), p)

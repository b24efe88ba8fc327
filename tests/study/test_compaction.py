"""The plan says when members that have ended leave, and keeps when they did."""

import pytest

import fallline as fl
from fallline.cohorts import Costs
from fallline.study import planning, together
from fallline.study.leaving import COMPILING
from fallline.study.plan import Plan, PlannedPopulation
from fallline.study.store import Store
from tests.study.studies import compare, curves, line, same

RATES = [0.01, 0.05, 1e30, 1e31, 1e32]


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def leaving(monkeypatch):
    """Plans whose populations always find that leaving repays."""
    monkeypatch.setattr(together, "WORTH_MEASURING", 0.0)
    monkeypatch.setattr(together, "costs_of", lambda *_: Costs(1.0, 0.0))


def test_when_members_left_is_kept_with_the_plan_and_the_same_plan_does_it_again(tmp_path, leaving, monkeypatch):
    first = compare(tmp_path, optimizers=["sgd"], lrs=RATES, runner="population")
    (population,) = Plan.from_json(first.plan).populations
    assert population.costs == Costs(1.0, 0.0)
    assert [left for _, left in population.compaction] == [4]
    assert fl.results(tmp_path / "s").plan == first.plan
    monkeypatch.setattr(planning, "make_plan", lambda *_: pytest.fail("a plan was made again"))
    again = compare(tmp_path, optimizers=["sgd"], lrs=RATES, runner="population", store=tmp_path / "again")
    assert again.plan == first.plan
    assert same(curves(again), curves(first))


def test_a_study_that_goes_on_trains_a_population_again_as_it_was(tmp_path, leaving):
    first = compare(tmp_path, "linear", optimizers=["sgd"], lrs=RATES, runner="population")
    with Store.writer(tmp_path / "s") as store:
        for table in ("curve", "member"):
            store._connection.execute(f"DELETE FROM {table}")
    again = fl.resume(tmp_path / "s", progress=False)
    assert again.plan == first.plan
    assert same(curves(again), curves(first))


def test_members_that_left_end_as_in_the_loop(tmp_path, leaving):
    given = {"optimizers": ["sgd", "adam"], "lrs": RATES, "vary": {"patience": [1.0, None]}, "epochs": 8}
    loop = compare(tmp_path, store=tmp_path / "loop", runner="loop", **given)
    population = compare(tmp_path, store=tmp_path / "together", runner="population", **given)
    assert Plan.from_json(population.plan).populations[0].compaction
    for one, other in zip(loop.records, population.records, strict=True):
        assert (one.outcome.ending, one.outcome.step, one.outcome.restored) == (
            other.outcome.ending,
            other.outcome.step,
            other.outcome.restored,
        )


def test_costs_are_measured_where_the_population_trains_long_enough(monkeypatch):
    assert planned("short").costs is None
    monkeypatch.setattr(together, "WORTH_MEASURING", 0.0)
    costs = planned("long").costs
    assert costs is not None
    assert costs.setting >= 0
    assert costs.preparing > 0
    costs_of = together.costs_of
    monkeypatch.setattr(together, "costs_of", lambda *given: costs_of(*given[:-1], True))
    assert planned("compiled").costs.preparing == COMPILING


def planned(name):
    problem = line(name=name)
    return fl.plan(
        problem, ["sgd"], protocol="sweep", lrs=RATES, epochs=2, seeds=2, threads=1, runner="population"
    ).populations[0]


def test_a_plan_from_before_members_left_has_no_costs():
    plain = {"members": [0, 1], "threads": 1, "compiled": False}
    assert PlannedPopulation.from_json(plain) == PlannedPopulation((0, 1), 1, False)

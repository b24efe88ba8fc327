"""Which members train together, and that the same command trains in the same way."""

import json
import math
import random
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import fallline as fl
from fallline.cohorts import Trial
from fallline.errors import InputError
from fallline.problems import prepare
from fallline.study import known_plans, one_by_one, planning, together
from fallline.study.one_by_one import Alone, Pace, faster
from fallline.study.outlook import Outlook
from fallline.study.plan import Plan, PlannedPopulation
from tests.study.studies import compare, curves, line, same

pytestmark = pytest.mark.usefixtures("own_cache")


class Noisy(nn.Linear):
    def forward(self, x):
        return super().forward(x) + 0.1 * torch.randn_like(x)


class NoisyInTraining(Noisy):
    def forward(self, x):
        return super().forward(x) if self.training else nn.Linear.forward(self, x)


class Branching(nn.Linear):
    def forward(self, x):
        return super().forward(x) if x.sum() > -1e9 else x


class Dropped(nn.Linear):
    """Chance that torch does not know of: a layer left out now and then."""

    def forward(self, x):
        return super().forward(x) if random.random() < 0.5 else 0.5 * super().forward(x)


class Counting(nn.Linear):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) / self.calls


def noisy():
    return line(model=lambda: Noisy(1, 1))


def test_a_population_gives_what_the_loop_gives(tmp_path):
    loop = compare(tmp_path, store=tmp_path / "loop", runner="loop", vary={"l2": [0.0, 0.01]})
    together = compare(tmp_path, store=tmp_path / "population", runner="population", vary={"l2": [0.0, 0.01]})
    assert together.plan["runner"] == "population"
    assert [len(own["members"]) for own in together.plan["populations"]] == [len(loop.records)]
    for one, other in zip(loop.records, together.records, strict=True):
        assert one.description == other.description
        assert one.outcome == other.outcome
        for name, column in one.curve.columns.items():
            assert other.curve[name] == pytest.approx(column, rel=1e-4, abs=1e-6, nan_ok=True)
    for mine, reference in zip(together.best().model().parameters(), loop.best().model().parameters(), strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-5)


def test_the_same_population_gives_the_same_bits_and_goes_on_by_its_plan(tmp_path):
    whole = compare(tmp_path, runner="population")
    again = compare(tmp_path, store=tmp_path / "again", runner="population")
    assert same(curves(whole), curves(again))
    named = fl.compare(
        "linear", ["sgd"], protocol="sweep", epochs=1, store=tmp_path / "named", runner="population", progress=False
    )
    assert fl.resume(tmp_path / "named", progress=False).plan == named.plan


@pytest.mark.parametrize(
    ("problem", "optimizers", "why"),
    [
        (noisy(), ["sgd"], "random numbers of its own"),
        (line(model=lambda: Branching(1, 1)), ["sgd"], "depends on the values of tensors"),
        (line(model=lambda: Dropped(1, 1)), ["sgd"], "random numbers of its own"),
        (line(model=lambda: Counting(1, 1)), ["sgd"], "keeps something from one evaluation to the next"),
        (line(), ["sgd", torch.optim.SGD], "no rule of fallline's"),
    ],
    ids=["noisy", "branching", "dropped", "counting", "torch"],
)
def test_what_cannot_be_mapped_is_refused_with_the_reason_and_trained_in_the_loop(tmp_path, problem, optimizers, why):
    with pytest.raises(InputError, match=why):
        compare(tmp_path, problem, optimizers, runner="population")
    assert not (tmp_path / "s").exists()


def test_auto_names_the_reason_and_trains_the_others_together(tmp_path, monkeypatch):
    monkeypatch.setattr(together, "SHORT", 0.0)
    monkeypatch.setattr(one_by_one, "_pace", lambda member, problem, seed: Pace(1.0, 0.0))
    results = compare(tmp_path, optimizers=["sgd", "adam", torch.optim.SGD])
    told = " ".join(results.plan["reasons"])
    assert "is no rule of fallline's" in told
    assert "one captured program" in told
    assert results.plan["runner"] == "loop"
    assert [len(own["members"]) for own in results.plan["populations"]] == [8]
    assert len(results.records) == 12


def test_what_trains_long_one_by_one_is_shared_out_to_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(one_by_one, "_pace", lambda member, problem, seed: Pace(1.0, 0.0))
    monkeypatch.setattr(one_by_one, "cpu_count", lambda: 2)
    optimizers = [torch.optim.SGD, torch.optim.Adam]

    def planned(**options):
        return fl.plan("digits", optimizers, lrs=[0.1, 0.2], epochs=2, seeds=1, **options)

    plan = planned()
    assert (plan.runner, plan.threads, plan.populations) == ("processes", 2, ())
    assert any("in one process" in reason for reason in plan.reasons)
    assert planned(threads=1).runner == "loop"
    monkeypatch.setattr(one_by_one, "unpackable", lambda *_: "no")
    assert planned(seed=1).runner == "loop"


def test_evaluations_count_in_what_a_plan_reckons(monkeypatch):
    """21 members of 36 steps are evaluated about 20 times, in the loop one after another."""
    monkeypatch.setattr(one_by_one, "_pace", lambda member, problem, seed: Pace(0.1, 0.1))
    monkeypatch.setattr(one_by_one, "cpu_count", lambda: 1)

    def populations(evaluating):
        monkeypatch.setattr(together.cohorts, "tried", lambda *_: Trial(0.5, 0.0, evaluating, 1))
        monkeypatch.setattr(together, "costs_of", lambda *_: None)
        # Another seed has no plan that is remembered.
        return fl.plan("digits", ["sgd"], epochs=2, seeds=3, seed=int(evaluating), threads=1).populations

    assert len(populations(evaluating=1.0)) == 1
    assert populations(evaluating=8.0) == ()


def test_a_short_study_is_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(together.cohorts, "tried", lambda *_: pytest.fail("a population was tried"))
    assert compare(tmp_path).plan["runner"] == "loop"


def planned(monkeypatch, problem="digits", step=0.01, runner="auto", seed=0):
    """The plan of 21 members of 36 steps each, where one by one a step takes so many seconds."""
    monkeypatch.setattr(one_by_one, "_pace", lambda member, problem, seed: Pace(step, 0.0))
    monkeypatch.setattr(one_by_one, "cpu_count", lambda: 1)
    return fl.plan(problem, ["sgd"], epochs=2, seeds=3, seed=seed, threads=1, runner=runner)


def untried(monkeypatch):
    monkeypatch.setattr(together.cohorts, "tried", lambda *_: pytest.fail("a population was tried"))


def test_a_study_too_short_to_try_a_population_goes_by_what_is_reckoned(monkeypatch):
    with monkeypatch.context() as patch:
        untried(patch)
        plan = planned(patch, step=0.004)
    assert [len(own.members) for own in plan.populations] == [21]
    assert "as reckoned" in plan.reasons[0]
    # It is trained so.
    results = fl.compare("digits", ["sgd"], epochs=2, seeds=3, threads=1, progress=False)
    assert [len(own["members"]) for own in results.plan["populations"]] == [21]


@pytest.mark.parametrize("step", [0.004, 0.1], ids=["untried", "tried"])
def test_schedules_train_together(monkeypatch, step):
    monkeypatch.setattr(one_by_one, "_pace", lambda member, problem, seed: Pace(step, 0.0))
    monkeypatch.setattr(one_by_one, "cpu_count", lambda: 1)
    monkeypatch.setattr(together, "COMPILING", 1e9)
    given = {"lrs": [0.01, 0.1], "schedules": ["cosine", "plateau"], "epochs": 2, "seeds": 6, "threads": 1}
    results = fl.compare("digits", ["sgd"], protocol="sweep", progress=False, **given)
    assert [len(own["members"]) for own in results.plan["populations"]] == [24]
    assert ("as reckoned" in results.plan["reasons"][0]) == (step == 0.004)
    loop = fl.compare("digits", ["sgd"], protocol="sweep", progress=False, runner="loop", **given)
    for one, other in zip(loop.records, results.records, strict=True):
        assert other.curve["train_loss"] == pytest.approx(one.curve["train_loss"], rel=1e-3)


@pytest.mark.parametrize("layer", [Noisy, NoisyInTraining, Branching])
def test_what_turns_out_not_to_be_mapped_when_it_trains_untried_trains_in_the_loop(tmp_path, monkeypatch, layer):
    monkeypatch.setattr(one_by_one, "_pace", lambda member, problem, seed: Pace(0.1, 0.0))
    monkeypatch.setattr(one_by_one, "cpu_count", lambda: 1)
    outlook = Outlook(step=0.0, evaluating=0.0, preparing=0.0, trying=1e9, bytes=1, unforeseen=frozenset())
    monkeypatch.setattr(together.Outlook, "of", lambda *_: outlook)
    problem = line(model=lambda: layer(1, 1))
    found = compare(tmp_path, problem, runner="auto", epochs=5)
    assert len(found.plan["populations"]) == 1
    assert same(curves(found), curves(compare(tmp_path, problem, store=tmp_path / "loop", runner="loop", epochs=5)))


def test_kinds_share_the_processes_that_one_of_them_needs():
    asked = SimpleNamespace(problems={}, members=(), workers=2)
    long, short, opaque = Alone(600.0, 300.0, 300.0), Alone(4.0, 2.0, 2.0), Alone(4.0, math.inf)
    assert faster([long, short], asked)[0] == "processes"
    assert faster([long, opaque], asked)[0] == "loop"
    # Each has a member alone, and the worker that has the longest works no longer than that.
    assert faster([Alone(10.0, 5.0, 10.0)] * 4, asked)[0] == "processes"
    assert faster([Alone(20.0, 10.0, 20.0)], asked)[0] == "loop"
    # They start once.
    assert faster([Alone(5.0, 2.5, 2.5)] * 4, asked)[0] == "processes"


def test_what_a_trial_of_some_members_says_holds_for_all(monkeypatch):
    monkeypatch.setattr(together, "_fitting", lambda members, asked: members[:7])
    monkeypatch.setattr(together, "costs_of", lambda *_: None)
    trial = Trial(seconds=0.001, preparing=0.0, evaluating=0.002, bytes=7_000_000)
    monkeypatch.setattr(together.cohorts, "tried", lambda *_: trial)
    monkeypatch.setattr(together, "_free", lambda device: 15e6)
    plan = planned(monkeypatch, runner="population")
    # 36 steps and 20 evaluations or so, three times as long as those of 7 members.
    assert "about 0.23 s against" in plan.reasons[0]
    assert [len(own.members) for own in plan.populations] == [12, 9]


def test_processes_beyond_the_cores_make_nothing_faster(monkeypatch):
    monkeypatch.setattr(one_by_one, "cpu_count", lambda: 2)
    monkeypatch.setattr(one_by_one, "_seconds", lambda *_: 600.0)
    members = [SimpleNamespace(problem="line", batch_size=4) for _ in range(5)]
    problems = {"line": prepare(line(), 0, torch.device("cpu"))}
    asked = one_by_one.Asked(members, problems, None, torch.device("cpu"), 0, "auto", 500)
    assert Alone.of(members, asked) == Alone(600.0, 300.0, 360.0)


def test_elsewhere_than_on_a_cpu_populations_are_always_tried(monkeypatch):
    tried = []
    monkeypatch.setattr(together, "_tried", lambda *_: tried.append(1) or ([], ""))
    outlook = Outlook(step=9.0, evaluating=0.0, preparing=0.0, trying=1e9, bytes=1, unforeseen=frozenset())
    monkeypatch.setattr(together.Outlook, "of", lambda *_: outlook)
    members = [SimpleNamespace(problem="line")]

    def weighed(device):
        asked = SimpleNamespace(
            device=torch.device(device), problems={"line": None}, seed=0, steps=lambda _: 1, evaluations=lambda _: 1
        )
        return together._weighed(None, members, Alone(3.0, math.inf), asked)

    weighed("cuda")
    assert tried == [1]
    weighed("cpu")
    assert tried == [1]


def test_no_population_goes_untried_that_may_not_pay_or_of_which_nothing_is_known(monkeypatch):
    untried(monkeypatch)
    outlook = Outlook(step=0.15, evaluating=0.0, preparing=0.0, trying=1.0, bytes=1, unforeseen=frozenset())
    monkeypatch.setattr(together.Outlook, "of", lambda *_: outlook)
    plan = planned(monkeypatch)
    assert (plan.runner, plan.populations) == ("loop", ())
    assert "take about 7.6 s; a population would take about 5.4 s, as reckoned, which is too near" in plan.reasons[0]
    unknown = replace(outlook, step=0.0, unforeseen=frozenset({"aten::strange"}))
    monkeypatch.setattr(together.Outlook, "of", lambda *_: unknown)
    plan = planned(monkeypatch, seed=1)
    assert (plan.runner, plan.populations) == ("loop", ())
    assert "no rule to map aten::strange by" in plan.reasons[0]


def test_what_cannot_be_looked_at_trains_one_by_one(monkeypatch):
    def failing(*_):
        raise RuntimeError("strange")

    monkeypatch.setattr(together.Outlook, "of", failing)
    plan = planned(monkeypatch)
    assert plan.populations == ()
    assert "torch cannot map it (RuntimeError: strange)" in plan.reasons[0]


def test_a_population_is_tried_where_that_is_a_small_part_of_the_study(monkeypatch):
    tried = []
    monkeypatch.setattr(together.cohorts, "tried", lambda *_: tried.append(1) or Trial(0.001, 0.1, 0.001, 1))
    monkeypatch.setattr(together, "costs_of", lambda *_: None)
    strange = frozenset({"aten::strange"})
    outlook = Outlook(step=0.001, evaluating=0.0, preparing=0.0, trying=3.0, bytes=1, unforeseen=strange)
    monkeypatch.setattr(together.Outlook, "of", lambda *_: outlook)
    assert len(planned(monkeypatch, step=0.1).populations) == 1
    assert len(tried) == 1
    planned(monkeypatch, step=0.07, seed=1)
    assert len(tried) == 1


def test_the_same_command_has_the_same_plan_and_another_its_own(tmp_path, monkeypatch, own_cache):
    first = compare(tmp_path, store=tmp_path / "a")
    remembered = list(own_cache.glob("*.json"))
    assert [Plan.from_json(json.loads(path.read_text())).to_json() for path in remembered] == [
        Plan.from_json(first.plan).to_json()
    ]
    with monkeypatch.context() as patch:
        patch.setattr(planning, "make_plan", lambda *_: pytest.fail("a plan was made again"))
        assert compare(tmp_path, store=tmp_path / "b").plan == first.plan
    compare(tmp_path, store=tmp_path / "c", epochs=3)
    assert len(list(own_cache.glob("*.json"))) == 2
    with monkeypatch.context() as patch:
        patch.setattr(known_plans, "cpu_count", lambda: 64)
        compare(tmp_path, store=tmp_path / "more cores")
    assert len(list(own_cache.glob("*.json"))) == 3
    remembered[0].write_text("{")
    assert compare(tmp_path, store=tmp_path / "d").plan["populations"] == first.plan["populations"]


def test_a_plan_survives_its_plain_form_and_an_old_one_has_no_populations():
    plan = Plan("loop", "cpu", 1, 3, 30, (("line", 4, 10),), ("because",), (PlannedPopulation((0, 2), 1, True),))
    plain = json.loads(json.dumps(plan.to_json()))
    assert Plan.from_json(plain) == plan
    assert plan.others() == [1]
    del plain["populations"]
    assert Plan.from_json(plain).others() == [0, 1, 2]


def test_kin_are_told_apart_by_what_they_do_not_share():
    plan = fl.plan(
        "digits", ["sgd"], lrs=[0.1, 0.2], batch_sizes=[32, 64], vary={"dropout": [0.0, 0.5], "l2": [0.0, 0.1]}, seeds=1
    )
    told = " ".join(plan.reasons)
    for dropout, size in ((0.0, 32), (0.0, 64), (0.5, 32), (0.5, 64)):
        assert f"4 members on digits with dropout={dropout}, batch_size={size}" in told
    assert "l2=" not in told
    alike = fl.plan("digits", ["sgd"], lrs=[0.1, 0.2], epochs=1, seeds=1)
    assert "2 members on digits make too small a population" in " ".join(alike.reasons)

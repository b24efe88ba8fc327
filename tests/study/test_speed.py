import math
import sqlite3
from dataclasses import dataclass

import pytest
import torch

import fallline as fl
from fallline.optim import Optimizer
from fallline.study import speed_runs
from fallline.study.record import key
from fallline.study.rhythm import rhythm
from fallline.study.speed import Speed
from fallline.study.speed_runs import FIRST, ROUNDS
from fallline.study.store import FILE, MIGRATIONS, SPEED_SINCE, Store
from fallline.training.training import Training
from tests.study.studies import compare, curves, same


def speed(name="sgd", seconds=(0.1, 0.3, 0.2)):
    return Speed({"optimizer": name}, seconds, 1.0, 5, 1, "a machine")


@pytest.fixture
def steps(monkeypatch):
    """The optimizers whose steps were timed, in order."""
    taken = []
    take = speed_runs._Timed.take

    def noting(self, coming):
        taken.append((self.training.member.optimizer, [tuple(place) for place, _ in coming]))
        take(self, coming)
        return {"sgd": 0.1, "adam": 0.2}.get(self.training.member.optimizer, 0.3)

    monkeypatch.setattr(speed_runs._Timed, "take", noting)
    return taken


def test_the_winners_take_turns_on_the_same_batches_after_some_first_steps(tmp_path, steps):
    results = compare(tmp_path, speed=True)
    first, rounds = steps[: 2 * FIRST], steps[2 * FIRST :]
    assert [name for name, _ in first] == ["sgd"] * FIRST + ["adam"] * FIRST
    assert {frozenset(name for name, _ in rounds[at : at + 2]) for at in range(0, 2 * ROUNDS, 2)} == {
        frozenset({"sgd", "adam"})
    }
    assert [name for name, _ in rounds[::2]] == (["sgd", "adam"] * ROUNDS)[:ROUNDS]
    assert all(rounds[at][1] == rounds[at + 1][1] for at in range(0, 2 * ROUNDS, 2))
    by_name = {row.optimizer: row.speed for row in results.ranking}
    assert len(by_name["sgd"].seconds) == ROUNDS
    assert by_name["sgd"].first == 0.1
    # Reading a batch is added to what a step takes.
    assert 0.1 < by_name["sgd"].interval.median < 0.15 < by_name["adam"].interval.median < 0.25


def test_seconds_to_a_target_are_steps_times_what_a_step_takes(tmp_path):
    results = compare(tmp_path, target="train_loss<=100", speed=True, epochs=1)
    for row in results.ranking:
        assert row.time_to_target["seconds"].median == row.time_to_target["steps"].median * row.speed.interval.median
    told = results.to_json()["ranking"][0]["speed"]
    assert told["rounds"] == ROUNDS
    assert told["seconds_a_step"]["median"] > 0


def test_speed_runs_are_made_when_asked_for_and_change_no_curve(tmp_path):
    without = compare(tmp_path, store=tmp_path / "a", target="train_loss<=1", speed=False)
    measured = compare(tmp_path, store=tmp_path / "b", target="train_loss<=1", speed=True)
    assert without.speeds == ()
    assert all(row.speed is None and "seconds" not in row.time_to_target for row in without.ranking)
    assert len(measured.speeds) == 2
    assert same(curves(without), curves(measured))


def test_what_is_kept_is_not_measured_again(tmp_path, steps):
    first = compare(tmp_path, speed=True)
    steps.clear()
    again = compare(tmp_path, speed=True)
    assert steps == []
    assert again.speeds == first.speeds
    assert fl.results(first.folder).speeds == first.speeds


def test_what_an_interruption_left_unmeasured_is_measured_on_going_on(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(speed_runs, "speed_runs", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare(tmp_path, speed=True)
    assert fl.results(tmp_path / "s").speeds == ()
    assert len(compare(tmp_path, speed=True).speeds) == 2


def test_what_diverged_has_no_speed(tmp_path):
    rows = compare(tmp_path, optimizers=["adam", "sgd:lr=1e6"], speed=True, target="train_loss<=1").ranking
    assert [row.speed is None for row in rows] == [False, True]
    assert "seconds" not in rows[1].time_to_target


def test_a_schedule_that_looks_at_losses_can_be_timed(tmp_path):
    rows = compare(tmp_path, optimizers=["sgd"], schedules=["plateau:patience=1", "cosine"], speed=True).ranking
    assert all(row.speed.interval.median > 0 for row in rows)


def test_the_members_weights_are_not_touched_and_global_generators_put_back(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state(), torch.get_num_threads()
    results = compare(tmp_path, speed=True)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    assert results.best().model() is not None


def test_a_round_holds_the_whole_rhythm_of_a_rule(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_runs, "SECONDS", 0.0)
    slow = fl.wrappers.Lookahead(fl.rules.SGD(lr=0.1), k=6)
    results = compare(tmp_path, optimizers=["sgd", slow], steps=9, epochs=None, speed=True)
    assert {row.optimizer: row.speed.steps for row in results.ranking} == {"sgd": 1, "Lookahead+sgd": 6}


def test_a_round_is_no_longer_than_a_training(tmp_path, monkeypatch):
    monkeypatch.setattr(speed_runs, "SECONDS", 1e9)
    slow = fl.wrappers.Lookahead(fl.rules.SGD(lr=0.1), k=10_000)
    results = compare(tmp_path, optimizers=["sgd", slow], steps=9, epochs=None, speed=True)
    assert {row.speed.steps for row in results.ranking} == {9}


def test_few_models_are_in_memory_at_once(tmp_path, monkeypatch):
    counts, begun = [], speed_runs._rounds
    monkeypatch.setattr(speed_runs, "TOGETHER", 2)
    monkeypatch.setattr(speed_runs, "_rounds", lambda timed, *rest: (counts.append(len(timed)), begun(timed, *rest)))
    results = compare(tmp_path, optimizers=["sgd", "adam", "adagrad"], speed=True)
    assert counts == [2, 1]
    assert all(row.speed is not None for row in results.ranking)


@dataclass(frozen=True)
class Alternating(fl.rules.SGD):
    def step(self, p, g, state, now):
        return super().step(p, g if now.due(2) else 2 * g if now.due(3) else 3 * g, state, now)


@pytest.mark.parametrize(
    ("rule", "steps"),
    [
        (Alternating(), 6),
        (fl.rules.Adam(), 1),
        (fl.rules.SOAP(precondition_frequency=7), 7),
        (fl.wrappers.Accumulate(fl.wrappers.Lookahead(fl.rules.SGD(), k=3), k=4), 12),
        (fl.wrappers.Route(fl.rules.Muon(), others=fl.wrappers.Lookahead(fl.rules.SGD(), k=5)), 5),
    ],
)
def test_the_rhythm_of_a_rule(rule, steps):
    assert rhythm(Optimizer([torch.zeros(2, 2, requires_grad=True)], rule)) == steps
    assert rhythm(torch.optim.Adam([torch.zeros(2, requires_grad=True)])) == 1


def test_speeds_are_read_back_bit_for_bit(tmp_path):
    measured = [speed("sgd", (1 / 3, 5e-324)), speed("adam")]
    with Store.writer(tmp_path) as store:
        store.begin("{}", {}, {})
        assert store.speeds() == ()
        store.add_speeds(measured)
        assert store.speeds() == tuple(measured)
    assert speed().key == key({"optimizer": "sgd"})


def test_the_interval_of_a_speed():
    assert speed().interval.median == 0.2
    assert (speed().interval.low, speed().interval.high) == (0.1, 0.3)


def test_a_store_of_before_speeds_has_none(tmp_path):
    connection = sqlite3.connect(tmp_path / FILE)
    for number, script in enumerate(MIGRATIONS[: SPEED_SINCE - 1], start=1):
        connection.executescript(f"{script} PRAGMA user_version = {number};")
    connection.close()
    with Store.reader(tmp_path) as store:
        assert store.speeds() == ()
    with Store.writer(tmp_path) as store:
        store.add_speeds([speed()])
        assert store.speeds() == (speed(),)


def test_diagnostics_are_not_timed(tmp_path, monkeypatch):
    seen = []
    made = Training.__init__

    def noting(self, member, *args, **kwargs):
        seen.append(member.diagnostics)
        made(self, member, *args, **kwargs)

    results = compare(tmp_path, diagnostics="layers")
    monkeypatch.setattr(Training, "__init__", noting)
    speed_runs.speed_runs(results.study, results.ranking)
    assert set(seen) == {"none"}
    assert math.isfinite(results.ranking[0].score)

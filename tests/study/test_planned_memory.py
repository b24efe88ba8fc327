"""How many members train together at most."""

from dataclasses import replace

import pytest
import torch

import fallline as fl
from fallline.cohorts import Trial
from fallline.problems import prepare
from fallline.study import together
from fallline.study.environment import gpu
from fallline.study.plan import chunks
from tests.study.studies import compare, line

pytestmark = pytest.mark.usefixtures("own_cache")


def test_members_are_cut_where_memory_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(together, "_free", lambda device: 3000.0)
    results = compare(tmp_path, runner="population", lrs=[0.01, 0.02, 0.05, 0.1])
    parts = [own["members"] for own in results.plan["populations"]]
    assert len(parts) > 1
    assert sorted(place for part in parts for place in part) == list(range(16))
    loop = compare(tmp_path, store=tmp_path / "loop", runner="loop", lrs=[0.01, 0.02, 0.05, 0.1])
    for one, other in zip(loop.records, results.records, strict=True):
        assert other.curve["train_loss"] == pytest.approx(one.curve["train_loss"], rel=1e-4)


def test_a_gpu_is_asked_for_its_own_memory_and_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8e9, 10e9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    assert together._free(torch.device("cuda")) == 4e9
    assert together._free(torch.device("cpu")) <= 1.5e9
    problem = prepare(line(), 0, torch.device("cpu"))
    assert gpu({"line": problem}) is None
    assert gpu({"line": replace(problem, device=torch.device("cuda"))}) == "a GPU"


def test_chunks_are_whole_rows_of_about_equal_size():
    assert chunks(range(12), rows=3, size=2) == [(0, 1, 2, 3, 4, 5), (6, 7, 8, 9, 10, 11)]
    assert [len(part) for part in chunks(range(30), rows=3, size=4)] == [9, 12, 9]


@pytest.mark.parametrize(("size", "parts"), [(1, 4), (64, 1)])
def test_what_steps_leave_until_the_next_evaluation_counts_as_memory(monkeypatch, size, parts):
    monkeypatch.setattr(together, "costs_of", lambda *_: None)
    monkeypatch.setattr(together.cohorts, "tried", lambda *_: Trial(0.001, preparing=0.0, evaluating=0.0, bytes=1))
    monkeypatch.setattr(together, "_fitting", lambda members, asked: members)
    # Between two of 21 evaluations a member has 2.8 KB of 115 steps, or little of two.
    monkeypatch.setattr(together, "_free", lambda device: 1e4)
    rates = [0.1 * (1 + number) for number in range(12)]
    given = {"protocol": "sweep", "lrs": rates, "epochs": 2, "batch_sizes": [size], "seeds": 1}
    plan = fl.plan("digits", ["sgd"], runner="population", **given)
    assert len(plan.populations) == parts

"""A compiled graph without the layers around it: the same results, and the layers where those would differ."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

import fallline as fl
from fallline.executors.direct import _tried, direct
from fallline.executors.kernels import inductor


def decayed(p, g):
    p.mul_(0.5).add_(g.sin())
    return [p.sum(), p > 0]


def tensors():
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(7, generator=generator, dtype=torch.float64) for _ in "pg")


@pytest.fixture(scope="module")
def layered():
    graph = make_fx(decayed, tracing_mode="fake")(*tensors())
    examples = [node.meta["val"] for node in graph.graph.nodes if node.op == "placeholder"]
    return inductor(graph, examples, True)


class Counted:
    """A function that counts its calls."""

    def __init__(self, function, more=0.0):
        self.function = function
        self.more = more
        self.calls = 0

    def __call__(self, *inputs):
        self.calls += 1
        return [x if x.dtype == torch.bool else x + self.more for x in self.function(*inputs)]


def results(run, steps=3):
    p, g = tensors()
    return [x.clone() for _ in range(steps) for x in (*run(p, g), p)]


def test_the_layers_are_called_once_and_nothing_changes(layered):
    counted = Counted(layered)
    assert all(map(torch.equal, results(direct(counted)), results(layered)))
    assert counted.calls == 1


def test_nan_is_no_difference(layered):
    counted = Counted(layered)
    run = direct(counted)
    p, g = tensors()
    p[3] = torch.nan
    for _ in range(3):
        run(p, g)
    assert counted.calls == 1
    assert bool(p.isnan()[3])


def test_layers_that_change_results_stay(layered):
    counted = Counted(layered, more=1.0)
    found = results(direct(counted))
    assert counted.calls == 3
    assert all(map(torch.equal, found, results(Counted(layered, more=1.0))))


def test_a_function_without_a_compiled_graph_is_called_as_it_is():
    counted = Counted(decayed)
    assert all(map(torch.equal, results(direct(counted)), results(decayed)))
    assert counted.calls == 3


def test_tensors_that_do_not_lie_in_one_piece_and_large_ones_have_the_layers(layered, monkeypatch):
    counted = Counted(layered)
    run = direct(counted)
    p, g = torch.zeros(7, 2, dtype=torch.float64)[:, 0], torch.ones(7, dtype=torch.float64)
    with pytest.raises((AssertionError, RuntimeError)):
        run(p, g)
    monkeypatch.setattr("fallline.executors.direct._SMALL", 1)
    results(run)
    assert counted.calls == 4


def test_who_vouches_for_its_tensors_is_given_the_direct_way(monkeypatch):
    made = []
    monkeypatch.setattr("fallline.executors.kernels.direct", lambda compiled: made.append(compiled) or compiled)
    graph = make_fx(decayed, tracing_mode="fake")(*tensors())
    examples = [node.meta["val"] for node in graph.graph.nodes if node.op == "placeholder"]
    for vouched in (False, True):
        partial(inductor, vouched=vouched)(graph, examples, True)
    assert len(made) == 1


@pytest.mark.parametrize("result", [lambda p: p.sum(), lambda p: p * 2], ids=["number", "vector"])
def test_a_result_by_itself_is_given_by_itself(result):
    def step(p, g):
        p.add_(g)
        return result(p)

    graph = make_fx(step, tracing_mode="fake")(*tensors())
    examples = [node.meta["val"] for node in graph.graph.nodes if node.op == "placeholder"]
    counted = Single(inductor(graph, examples, True))
    run = direct(counted)
    p, g = tensors()
    for _ in range(3):
        found = run(p, g)
        assert isinstance(found, torch.Tensor)
        torch.testing.assert_close(found, result(p))
    assert counted.calls == 1


class Single(Counted):
    def __call__(self, *inputs):
        self.calls += 1
        return self.function(*inputs)


def test_what_cannot_be_called_by_itself_keeps_its_layers(layered, monkeypatch):
    broken = SimpleNamespace(current_callable=lambda inputs: 1 / 0)
    monkeypatch.setattr("fallline.executors.direct._compiled_within", lambda function: iter([broken]))
    counted = Counted(layered)
    assert all(map(torch.equal, results(direct(counted)), results(layered)))
    assert counted.calls == 3


@pytest.mark.parametrize("rule", ["sgd", "adam", "lion"])
def test_the_step_of_a_compiled_study_goes_the_direct_way(tmp_path, monkeypatch, rule):
    chosen = []

    def watched(layered, inputs):
        way, found = _tried(layered, inputs)
        chosen.append(way is not layered)
        return way, found

    monkeypatch.setattr("fallline.executors.direct._tried", watched)
    fl.compare(
        "cubic", [rule], protocol="sweep", lrs=[0.01, 0.02], steps=3, seeds=1, runner="compiled", store=tmp_path / "s",
        threads=1, progress=False,
    )  # fmt: skip
    assert chosen
    assert all(chosen)

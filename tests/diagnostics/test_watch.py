import copy
import math

import pytest
import torch
from torch import nn

import fallline as fl
from fallline.diagnostics import Watch, gradient_norms, weight_norms
from fallline.errors import InputError

from .networks import small, train

OPTIMIZERS = {
    "torch": lambda p: torch.optim.Adam(p, lr=0.01),
    "fallline": lambda p: fl.optim.Adam(p, lr=0.01),
    "lbfgs": lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_is_the_same_to_the_bit(optimizer, dtype):
    ends = []
    for every in (None, 1, 3):
        model = small(dropout=0.5).to(dtype)
        made = OPTIMIZERS[optimizer](model.parameters())
        watch = Watch(model, made, every=every)
        losses = train(model, made, 20, closure=optimizer == "lbfgs")
        ends.append((losses, copy.deepcopy(model.state_dict()), torch.get_rng_state()))
        assert len(watch.columns().get("step", [])) == {None: 0, 1: 20, 3: 7}[every]
    for losses, weights, chance in ends[1:]:
        assert losses == ends[0][0]
        assert all(torch.equal(value, ends[0][1][name]) for name, value in weights.items())
        assert torch.equal(chance, ends[0][2])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_a_script_of_torch_with_our_optimizer_and_a_watch_gives_the_same_losses(dtype, tolerance):
    torch.manual_seed(0)
    ordinary = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).to(dtype)
    ours = copy.deepcopy(ordinary)
    expected = train(ordinary, torch.optim.Adam(ordinary.parameters(), lr=1e-3), 100)
    optimizer = fl.optim.Adam(ours.parameters(), lr=1e-3)
    watch = Watch(ours, optimizer, every=10)
    assert train(ours, optimizer, 100) == pytest.approx(expected, rel=tolerance)
    assert watch.columns()["step"] == list(range(0, 100, 10))


@pytest.mark.parametrize("closure", [False, True])
def test_a_record_holds_what_was_before_the_step_and_the_step(closure):
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, optimizer, 2)
    watch = Watch(model, optimizer, every=1)
    before = weight_norms(model)
    train(model, optimizer, 1, closure)
    gradient = gradient_norms(model)
    for name in ("0", "3", "4"):
        row = {q: watch.columns()[f"{q}/{name}"][0] for q in ("gradient_norm", "weight_norm", "update_norm")}
        assert row["gradient_norm"] == gradient[name]
        assert row["weight_norm"] == before[name]
        assert row["update_norm"] == pytest.approx(0.1 * gradient[name], rel=1e-12)
        assert watch.columns()[f"update_ratio/{name}"] == [row["update_norm"] / before[name]]
        assert watch.columns()[f"cosine/{name}"] == [pytest.approx(1, rel=1e-12)]


def test_the_gradient_of_a_closure_is_that_of_its_first_call():
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=5)
    with Watch(model, optimizer, every=1) as watch:

        def closure():
            optimizer.zero_grad()
            loss = model(torch.ones(1, 1)).square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        optimizer.step(closure=closure)
    assert watch.columns()["gradient_norm/Linear"][0] == 2
    assert watch.columns()["cosine/Linear"] == [1, 1]


def test_a_gradient_that_the_optimizer_changes_is_recorded_as_it_was_given():
    class Doubling(torch.optim.SGD):
        def step(self, closure=None):
            for p in self.param_groups[0]["params"]:
                p.grad *= 2
            return super().step(closure)

    model = small()
    watch = Watch(model, optimizer := Doubling(model.parameters(), lr=0.1), every=1)
    train(model, optimizer, 1)
    assert watch.columns()["gradient_norm/4"][0] == gradient_norms(model)["4"] / 2


def test_only_what_is_asked_for_is_recorded():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=None)
    train(model, optimizer, 2)
    watch.next_step()
    watch.next_step()
    train(model, optimizer, 3)
    assert watch.columns()["step"] == [2]
    assert watch.columns()["rows/1"] == [16]
    watch.next_step()
    watch.close()
    watch.next_step()
    train(model, optimizer, 1)
    assert watch.columns()["step"] == [2]
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_evaluations_are_not_recorded():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=1)
    for _ in range(2):
        model(torch.randn(40, 64)).mean().backward()
        with torch.no_grad():
            model(torch.randn(90, 64))
        optimizer.step()
    assert watch.columns()["rows/1"] == [40, 40]


def test_layers_without_gradient_are_nan_and_frozen_ones_have_no_update():
    model = small()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    watch = Watch(model, optimizer, every=1)
    train(model, optimizer, 1)
    row = {key: values[0] for key, values in watch.columns().items()}
    assert row["weight_norm/0"] == weight_norms(model)["0"]
    assert all(math.isnan(row[f"{q}/0"]) for q in ("gradient_norm", "update_norm", "update_ratio", "cosine"))
    assert row["nonfinite_gradients/0"] == 0
    assert row["gradient_norm/4"] > 0


def test_nonfinite_values_are_counted_where_they_are():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=1)
    model(torch.randn(8, 64)).mean().backward()
    model[4].bias.grad[:3] = torch.nan
    optimizer.step()
    model(torch.randn(8, 64)).mean().backward()
    optimizer.step()
    assert watch.columns()["nonfinite_gradients/4"][0] == 3
    assert watch.columns()["nonfinite_gradients/0"][0] == 0
    assert watch.columns()["nonfinite_weights/4"] == [0, 3]


def test_a_report_is_sentences():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=2)
    assert watch.report() == "0 steps, 0 of them recorded.\nNothing to judge by yet."
    train(model, optimizer, 3)
    lines = watch.report().splitlines()
    assert lines[:2] == ["3 steps, 2 of them recorded.", "No layer vanishes, explodes, is dead or non-finite."]
    assert lines[2].startswith("At step 2 gradient norms are ")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, o: Watch(m, m), "needs a torch.optim.Optimizer; got Sequential"),
        (lambda m, o: Watch("m", o), "must be an nn.Module; got str"),
        (lambda m, o: Watch(m, o, every=0), "1 or more, or None; got 0"),
        (lambda m, o: Watch(m, o, every=2.5), "got 2.5"),
        (lambda m, o: Watch(small(), o), "trains no parameter of this Sequential"),
    ],
)
def test_bad_input_is_said(call, message):
    model = small()
    with pytest.raises(InputError, match=message):
        call(model, torch.optim.SGD(model.parameters(), lr=0.1))

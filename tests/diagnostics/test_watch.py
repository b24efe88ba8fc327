import copy
import math
import pickle
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode, _get_current_function_mode, _get_current_function_mode_stack

import fallline as fl
from fallline.diagnostics import Watch, gradient_norms, weight_norms
from fallline.errors import InputError

from .networks import digits


def small(dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Dropout(dropout), nn.BatchNorm1d(16), nn.Linear(16, 10))


def train(model, optimizer, steps, closure=False):
    """An ordinary loop; the losses."""
    images, labels = digits(96)
    images = images.to(next(model.parameters()).dtype)
    losses = []
    torch.manual_seed(1)
    for step in range(steps):
        rows = slice(step % 6 * 16, step % 6 * 16 + 16)

        def loss_of(rows=rows):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(images[rows]), labels[rows])
            loss.backward()
            return loss

        if closure:
            loss = optimizer.step(loss_of)
        else:
            loss = loss_of()
            optimizer.step()
        losses.append(float(loss.detach()))
    return losses


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


def test_other_steps_have_no_hooks_on_the_model():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    Watch(model, optimizer, every=3)
    hooked = []
    for _ in range(4):
        hooked.append(bool(model._forward_hooks))
        train(model, optimizer, 1)
    assert hooked == [True, False, False, True]
    assert not any(module._forward_hooks for module in model)


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3)
        self.shared, self.capped = nn.ReLU(), nn.ReLU6(inplace=True)
        self.hidden, self.out = nn.Linear(96, 5), nn.Linear(5, 2)

    def forward(self, x):
        x = functional.relu(self.conv1(x))
        x = self.shared(x)
        x = self.shared(self.capped(self.conv2(x)))
        x = torch.sigmoid(self.hidden(x.flatten(1)) + 100).relu()
        return functional.leaky_relu(self.out(x)).tanh()


def test_activations_are_seen_as_modules_and_as_functions():
    torch.manual_seed(0)
    model = Convolutions()
    model.conv1.bias.data[1] = -100
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=1)
    model(torch.rand(7, 1, 8, 8)).sum().backward()
    optimizer.step()
    columns = watch.columns()
    found = {key.partition("/")[2]: columns[key][0] for key in columns if key.startswith("units/")}
    assert found == {
        "conv1:relu": 4,
        "conv1:relu#2": 4,
        "capped": 6,
        "conv2:relu": 6,
        "hidden:sigmoid": 5,
        "hidden:relu": 5,
    }
    assert columns["rows/conv1:relu"] == [7 * 36]
    assert columns["dead_units/conv1:relu"] == [1]
    assert columns["dead_fraction/conv1:relu"] == [0.25]
    assert columns["saturated_units/hidden:sigmoid"] == [5]
    assert columns["saturated_fraction/hidden:sigmoid"] == [1]
    assert [key for key in columns if key.startswith("output_rms/")] == [
        f"output_rms/{name}" for name in ("conv1", "conv2", "hidden", "out")
    ]


def test_the_output_size_is_the_root_of_the_mean_square():
    model = nn.Linear(1, 2, bias=False)
    model.weight.data = torch.tensor([[3.0], [1.0]])
    watch = Watch(model, optimizer := torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model(torch.ones(5, 1)).sum().backward()
    optimizer.step()
    assert watch.columns()["output_rms/Linear"] == [pytest.approx(math.sqrt(5), rel=1e-12)]


def test_the_calls_of_a_recurrent_model_are_taken_together():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.Linear(2, 2, bias=False)

        def forward(self, x):
            for _ in range(3):
                x = torch.relu(self.cell(x))
            return x

    model = Recurrent()
    model.cell.weight.data = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])  # 0, then 0 and 1 by turns
    watch = Watch(model, optimizer := torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model(torch.tensor([[0.0, 1.0]])).sum().backward()
    optimizer.step()
    assert watch.columns()["rows/cell:relu"] == [3]
    assert watch.columns()["dead_units/cell:relu"] == [1]


def test_units_of_a_sequence_are_features():
    model = nn.Sequential(nn.Embedding(9, 4), nn.ReLU(), nn.Linear(4, 1))
    watch = Watch(model, optimizer := torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model(torch.zeros(5, 7, dtype=torch.long)).sum().backward()
    optimizer.step()
    assert (watch.columns()["units/1"], watch.columns()["rows/1"]) == ([4], [35])


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


def test_copies_of_a_watched_model_are_not_watched():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=1)
    train(model, optimizer, 1)
    assert b"Watch" not in pickle.dumps(model)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other(torch.randn(50, 64))
    copy.deepcopy(optimizer)
    pickle.loads(pickle.dumps(optimizer))
    assert len(watch.columns()["step"]) == 1


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_in_the_model_leaves_nothing_behind(failure):
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=1)

    def fail(*_):
        raise failure

    handle = model[2].register_forward_hook(fail)
    with pytest.raises(failure):
        train(model, optimizer, 1)
    handle.remove()
    train(model, optimizer, 1)
    assert _get_current_function_mode() is None
    assert watch.columns()["rows/1"] == [16]
    assert not any(module._forward_hooks for module in model)


@pytest.mark.parametrize("caught", ["inside", "between", "outside"])
def test_a_watch_that_is_closed_after_ctrl_c_leaves_the_stack_of_modes_as_it_was(caught):
    class Outer(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    def interrupt(*_):
        raise KeyboardInterrupt

    model, x = small(), torch.randn(4, 64)
    watch = Watch(model, torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model[2].register_forward_pre_hook(interrupt)
    outer, inner, later = Outer(), Outer(), Outer()

    def run(here):
        with pytest.raises(KeyboardInterrupt) if here else nullcontext():
            model(x)

    def closed(expected):
        with later:
            watch.close()
            assert _get_current_function_mode_stack() == [*expected, later]
        assert _get_current_function_mode_stack() == expected

    with pytest.raises(KeyboardInterrupt) if caught == "outside" else nullcontext(), outer:
        with pytest.raises(KeyboardInterrupt) if caught == "between" else nullcontext(), inner:
            run(caught == "inside")
            closed([outer, inner])
        if caught == "between":
            closed([outer])
    closed([])
    assert not any(m._forward_hooks or len(m._forward_pre_hooks) > (m is model[2]) for m in model.modules())


def test_transformed_and_compiled_models_are_not_looked_into():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    watch = Watch(model, optimizer := torch.optim.SGD(model.parameters(), lr=0.1), every=1)

    def loss(weights, x):
        return torch.func.functional_call(model, weights, (x,)).square().mean()

    weights = dict(model.named_parameters())
    torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, torch.randn(5, 8, 3))
    compiled = torch.compile(model, backend="eager")
    for _ in range(2):
        optimizer.zero_grad()
        compiled(torch.randn(8, 3)).square().mean().backward()
        optimizer.step()
    assert len(watch.columns()["gradient_norm/0"]) == 2
    part = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    part[1].compile(backend="eager")
    watch = Watch(part, optimizer := torch.optim.SGD(part.parameters(), lr=0.1), every=1)
    part(torch.randn(8, 3)).mean().backward()
    optimizer.step()
    assert "units/1" not in watch.columns()


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

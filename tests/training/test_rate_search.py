import copy
import math
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

import fallline as fl
from fallline.api import lr_find
from fallline.errors import InputError
from fallline.training.fan import Fan, Trial
from fallline.training.ramp import Ramp
from fallline.training.rate_search import decide

ROWS = 200


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def classes(rows=ROWS):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(rows, 4, generator=generator)
    return x, (x[:, 0] > 0).long()


class Counting(nn.Module):
    """BatchNorm (a second one frozen), dropout, a buffer outside the state_dict, attributes that change in a pass."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))
        self.frozen = nn.BatchNorm1d(4)
        self.register_buffer("largest", torch.zeros(()), persistent=False)
        self.calls = 0
        self.sizes = []
        self.steps = torch.zeros(())
        self.array = np.zeros(2)
        self.nested = {"seen": [[0], {1}], "last": torch.zeros(2)}
        self.nested["self"] = self.nested

    def forward(self, x):
        self.steps += 1
        self.array += 1
        self.nested["seen"][0].append(self.calls)
        self.nested["seen"][1].add(self.calls)
        self.nested["last"][0] = self.calls
        self.calls += 1
        self.sizes.append(len(x))
        self.largest = torch.maximum(self.largest, x.detach().max())
        return self.inner(self.frozen(x))


def partly_trained(make=lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-3)):
    torch.manual_seed(0)
    model = Counting()
    optimizer = make([{"params": model.inner[0].parameters(), "lr": 0.02}, {"params": model.inner[4].parameters()}])
    x, y = classes()
    for _ in range(3):
        optimizer.zero_grad()
        cross_entropy(model(x[:32]), y[:32]).backward()
        optimizer.step()
    model.frozen.eval()
    return model, optimizer


def photograph(model, optimizer):
    """All that may have changed, as copies, and the objects themselves."""
    state = {id(p): copy.deepcopy(state) for p, state in optimizer.state.items()}
    return {
        "tensors": [x.detach().clone() for x in (*model.parameters(), *model.buffers())],
        "objects": [id(x) for x in (*model.parameters(), *model.buffers())],
        "gradients": [p.grad if p.grad is None else p.grad.clone() for p in model.parameters()],
        "gradient objects": [id(p.grad) for p in model.parameters()],
        "modes": [module.training for module in model.modules()],
        "plain": (model.calls, list(model.sizes), id(model.sizes)),
        "held": copy.deepcopy([model.steps, model.array.tolist(), model.nested["seen"], model.nested["last"]]),
        "held objects": [id(x) for x in (model.steps, model.array, model.nested, *model.nested.values())],
        "state": state,
        "state objects": [id(x) for state in optimizer.state.values() for x in state.values()],
        "groups": [{k: copy.deepcopy(v) for k, v in g.items() if k != "params"} for g in optimizer.param_groups],
        "group objects": [id(optimizer.param_groups), *(id(group) for group in optimizer.param_groups)],
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": [np.asarray(x).tolist() for x in np.random.get_state()],
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def changed(before, after):
    return [name for name in before if not same(before[name], after[name])]


OPTIMIZERS = {
    "torch Adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=1e-3),
    "rates as tensors": lambda p: torch.optim.SGD(p, lr=torch.tensor(0.01), momentum=0.9),
    "fallline Adam": lambda p: fl.optim.Adam(p, lr=0.01),
    "LBFGS": lambda p: torch.optim.LBFGS([x for group in p for x in group["params"]], lr=0.1, max_iter=2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_model_optimizer_and_generators_are_put_back_bit_for_bit(name):
    model, optimizer = partly_trained() if name == "LBFGS" else partly_trained(OPTIMIZERS[name])
    if name == "LBFGS":
        optimizer = OPTIMIZERS[name]([{"params": model.parameters()}])
    before = photograph(model, optimizer)
    found = lr_find(model, optimizer, loss=cross_entropy, data=classes(), steps=5)
    assert len(found.fan) >= 3
    assert changed(before, photograph(model, optimizer)) == []


def test_training_goes_on_as_if_nothing_had_been_searched():
    def losses(searched):
        model, optimizer = partly_trained()
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        if searched:
            lr_find(model, optimizer, loss=cross_entropy, data=classes(), steps=5)
        seen = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = cross_entropy(model(classes()[0]), classes()[1])
            loss.backward()
            optimizer.step()
            scheduler.step()
            seen.append(loss.item())
        return seen, optimizer.param_groups[0]["lr"]

    assert losses(True) == losses(False)


def test_modes_stand_while_it_trains_and_dropout_is_keyed():
    def search(seed):
        model, optimizer = partly_trained()
        torch.manual_seed(seed)
        modes = set()

        def loss(output, target):
            modes.add((model.training, model.inner[1].training, model.frozen.training))
            return cross_entropy(output, target)

        found = lr_find(model, optimizer, loss=loss, data=classes(), steps=5)
        return found.to_json(), modes

    document, modes = search(0)
    assert document == search(1)[0]
    assert modes == {(True, True, False), (False, False, False)}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("when", [1, 50, 130])
def test_an_interrupted_search_puts_everything_back(error, when):
    model, optimizer = partly_trained()
    calls = 0

    def loss(output, target):
        nonlocal calls
        calls += 1
        if calls == when:
            raise error("now")
        return cross_entropy(output, target)

    before = photograph(model, optimizer)
    # What fails when it is first tried is bad input.
    with pytest.raises(InputError if when == 1 and error is RuntimeError else error, match="now"):
        lr_find(model, optimizer, loss=loss, data=classes(), steps=5)
    assert changed(before, photograph(model, optimizer)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data": (torch.zeros(200, 3), torch.zeros(200).long())},
            r"model Counting failed on inputs \(float32\[160, 3\]",
        ),
        ({"data": (classes()[0], classes()[1].float())}, "does not fit the loss with targets float32"),
        ({"data": (classes()[0], classes()[1] + 2)}, r"label [23] is outside 0..1"),
        ({"data": 4}, "training data: expected tensors"),
        ({"loss": 3}, "loss must be callable"),
        ({"loss": lambda output: output.mean()}, "Counting: training data"),
        ({"loss": lambda output, target: output}, "must return one number"),
        ({"loss": lambda output, target: target.float().mean()}, "does not depend on the model's parameters"),
        ({"device": "cuda"}, "device goes with a problem"),
        ({"data_dir": "."}, "data_dir goes with a problem"),
    ],
)
def test_data_and_losses_that_do_not_fit_a_live_model_are_refused_and_nothing_is_moved(changes, message):
    model, optimizer = partly_trained()
    before = photograph(model, optimizer)
    with pytest.raises(InputError, match=message):
        lr_find(model, optimizer, **{"loss": cross_entropy, "data": classes(), "steps": 5, **changes})
    assert changed(before, photograph(model, optimizer)) == []


def test_a_loaders_own_generator_is_left_alone():
    model, optimizer = partly_trained()
    generator = torch.Generator().manual_seed(7)
    loader = DataLoader(TensorDataset(*classes()), batch_size=50, shuffle=True, generator=generator)
    before = generator.get_state()
    found = lr_find(model, optimizer, loss=cross_entropy, data=loader, steps=5)
    assert torch.equal(before, generator.get_state())
    assert found.compared_on == "training"


def test_parameters_of_the_loss_are_put_back_too():
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))
            self.register_buffer("count", torch.zeros(()))

        def forward(self, output, target):
            self.count += 1
            return mse_loss(self.scale * output, target)

    torch.manual_seed(0)
    model, loss = nn.Linear(4, 1), Weighted()
    optimizer = torch.optim.SGD([*model.parameters(), *loss.parameters()], lr=0.1)
    seen = set()
    x, _ = classes()
    lr_find(model, optimizer, loss=loss, data=(x, x[:, :1]), steps=5, say=lambda _: seen.add(loss.scale.item()))
    assert loss.scale.item() == 1.0
    assert loss.count.item() == 0
    assert len(seen) > 1


def test_the_ratios_of_the_groups_rates_are_kept():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    groups = [{"params": model[0].parameters(), "lr": 0.01}, {"params": model[1].parameters(), "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    seen = []

    def loss(output, target):
        seen.append([group["lr"] for group in optimizer.param_groups])
        return cross_entropy(output, target)

    lr_find(model, optimizer, loss=loss, data=classes(), steps=5)
    trained = [rates for rates in seen if rates[1] != 0.1]
    assert len(trained) > 100
    assert all(small == pytest.approx(large / 10) for small, large in trained)
    assert max(large for _, large in trained) == pytest.approx(10)


def line(loss=mse_loss, rows=ROWS, width=1):
    x = torch.linspace(-1, 1, rows)[:, None]
    return fl.Problem(model=lambda: nn.Linear(1, width), loss=loss, train=(x, 2 * x), name="line")


def test_nan_from_the_start_declines():
    found = lr_find(line(lambda output, target: mse_loss(output, target) * math.nan), steps=5)
    assert found.suggestion is None
    assert "nan before any update" in found.reason
    assert found.fan == ()


def test_nan_in_training_alone_declines():
    def loss(model, batch):
        value = mse_loss(model(batch[0]), batch[1])
        return value * math.nan if model.training else value

    found = lr_find(line(loss), steps=5)
    assert found.suggestion is None
    assert "nan at step 1 already" in found.reason


def test_a_plateau_declines():
    found = lr_find(line(lambda output, target: 0 * output.sum() + 1), steps=5)
    assert found.suggestion is None
    assert "never fell" in found.reason


def test_labels_that_no_model_can_learn_decline():
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(2000, 3, generator=generator)
    y = torch.randn(2000, 1, generator=generator)

    def zeroed():
        model = nn.Linear(3, 1)
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        return model

    found = lr_find(fl.Problem(model=zeroed, loss=mse_loss, train=(x, y), name="noise"), "sgd", steps=20)
    assert found.suggestion is None
    assert "never fell" in found.reason


def test_too_few_rows_decline_and_say_how_many_are_needed():
    found = lr_find(line(rows=40), steps=5)
    assert found.suggestion is None
    assert "32 rows to train on and 8 to compare on" in found.reason
    assert "at least 64 and 16" in found.reason
    assert found.ramp.lr == ()


def test_the_best_at_the_edge_declines():
    found = lr_find(line(), "sgd", low=1e-6, high=1e-2, steps=50)
    assert found.suggestion is None
    assert "the highest that was tried" in found.reason


def test_a_quadratic_is_told_where_it_is_stable():
    """y = 2x on x in [-1, 1]: the Hessian of the squared error is 2 E[x^2] = 2/3 and 2: SGD is stable below 1."""
    found = lr_find(line(), "sgd", steps=100)
    assert 0.1 < found.suggestion < 1
    assert all(trial.diverged for trial in found.fan if trial.lr > 1.1)
    assert found.ramp.lr[-1] < 10


def test_far_above_its_start_is_diverged_too():
    found = lr_find(line(), "sgd", steps=5)
    gone = [trial for trial in found.fan if trial.diverged]
    assert gone
    assert all(10 * found.start < trial.loss < math.inf for trial in gone)


def test_equal_searches_are_equal():
    first, again, other = (lr_find("cubic", "adam", steps=20, seed=seed) for seed in (0, 0, 1))
    assert first.to_json() == again.to_json()
    assert first.to_json() != other.to_json()


RULES = ["momentum:momentum=0.95", fl.rules.SGD, fl.rules.Momentum(lr=123.0, momentum=0.8), torch.optim.NAdam]


@pytest.mark.parametrize("optimizer", RULES, ids=str)
def test_names_rules_and_classes(optimizer):
    assert lr_find("linear", optimizer, steps=30).suggestion < 3


def test_json_is_plain_and_infinite_numbers_are_null():
    document = lr_find("linear", "sgd", steps=30).to_json()
    assert set(document) == {"problem", "optimizer", "suggestion", "reason", "ramp", "fan"}
    assert document["problem"] == "linear"
    assert len({len(column) for column in document["ramp"].values()}) == 1
    assert any(trial["diverged"] and trial["loss"] is None for trial in document["fan"])


BEST = {
    ("cubic", "sgd"): 0.316,
    ("cubic", "momentum"): 0.316,
    ("cubic", "rmsprop"): 0.01,
    ("digits", "sgd"): 1,
    ("digits", "adagrad"): 0.1,
}
"""The best of 13 rates from 1e-5 to 10 after ten epochs, three seeds: `benchmarks/lr_find.py` measures them anew."""


@pytest.mark.parametrize(("problem", "optimizer"), BEST)
def test_suggestions_lie_within_a_factor_of_ten_of_a_full_sweep(problem, optimizer):
    best = BEST[problem, optimizer]
    assert best / 10 <= lr_find(problem, optimizer).suggestion <= 10 * best


def trials(**losses):
    """A fan over 1e-4, 1e-3, ..., 1 from a start of 10: losses by exponent, None for diverged."""
    grid = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    found = Fan(grid, steps=5, start=10.0)
    for name, loss in losses.items():
        place = int(name[1:])
        found.trials[place] = Trial(grid[place], math.nan if loss is None else loss, loss is None)
    return found


@pytest.mark.parametrize(
    ("fan", "wanted"),
    [
        (trials(p2=1.0, p3=0.5, p4=4.0), None),
        (trials(p2=0.5, p3=1.0, p4=4.0), 1),
        (trials(p1=4.0, p2=1.0, p3=0.5), 4),
        (trials(p1=4.0, p2=0.5, p3=None), None),
        (trials(p2=None, p3=None, p4=None), 1),
        (trials(p2=10.0, p3=10.5, p4=None), 1),
        (trials(p2=1.0, p3=0.99, p4=4.0), 1),
    ],
)
def test_the_fan_grows_where_better_may_lie(fan, wanted):
    assert fan.wanted() == wanted


@pytest.mark.parametrize(
    ("fan", "suggestion", "told"),
    [
        (trials(p1=4.0, p2=0.5, p3=2.0), 0.01, "the least among 3 rates"),
        (trials(p1=4.0, p2=0.5, p3=None), 0.0056, "0.1 diverged, so this lies a little below"),
        (trials(p1=4.0, p2=0.5, p3=0.55, p4=4.0), 0.032, "0.01 to 0.1 did as well"),
        (
            trials(p0=0.5, p1=0.5, p2=0.5, p3=0.5, p4=0.5),
            0.001,
            "1 did as well, and this lies nearer to their middle",
        ),
        (trials(p2=4.0, p3=2.0, p4=0.5), None, "the highest"),
        (trials(p0=0.5, p1=2.0, p2=4.0), None, "the lowest"),
        (trials(p0=None, p1=None), None, "Every short training diverged"),
        (trials(p1=9.95, p2=None), None, "never fell"),
    ],
)
def test_decisions(fan, suggestion, told):
    rate, reason = decide(fan, "validation")
    assert rate == suggestion
    assert told in reason


def test_the_window_of_a_ramp():
    lr = tuple(10.0**i for i in range(-15, 0))
    smoothed = (4.0,) * 10 + (3.8, 3.5, 1.0, 2.0, 8.0)
    ramp = Ramp(lr, smoothed, smoothed)
    assert ramp.window == (lr[10], lr[14])
    assert not ramp.failed_at_once
    assert Ramp(lr[:2], (1.0, math.nan), (1.0, math.nan)).failed_at_once


@pytest.mark.parametrize(
    ("words", "changes", "message"),
    [
        (("linear", "sgd"), {"low": 1, "high": 1}, "0 < low < high"),
        (("linear", "sgd"), {"low": 0}, "0 < low < high"),
        (("linear", "sgd"), {"high": math.inf}, "0 < low < high"),
        (("linear", "sgd"), {"steps": 0}, "steps must be"),
        (("linear", "sgd"), {"batch_size": 0}, "batch_size must be"),
        (("linear", "sgd"), {"batch_size": 801}, "800 training rows"),
        (("linear", "sgd:lr=0.1"), {}, "sets lr"),
        (("linear", "momentum:momentum=0.8|0.9"), {}, "2 settings"),
        (("linear", "adm"), {}, "Did you mean 'adam'"),
        (("linier", "adam"), {}, "Did you mean 'linear'"),
        (("linear", "sgd"), {"loss": 3}, "loss goes with a model"),
        (("linear", "sgd"), {"data": 4}, "data goes with a model"),
        (("linear", "sgd"), {"low": "1"}, "need numbers"),
        (("linear", "sgd"), {"threads": 0}, "threads must be"),
        ((nn.Linear(4, 2), "adam"), {}, "a torch Optimizer"),
        ((nn.Linear(4, 2), torch.optim.SGD(nn.Linear(4, 2).parameters())), {"loss": cross_entropy}, "data="),
    ],
)
def test_bad_input(words, changes, message):
    with pytest.raises(InputError, match=message):
        lr_find(*words, **changes)


def test_an_optimizer_of_another_model_is_refused():
    other = torch.optim.SGD(nn.Linear(4, 2).parameters())
    with pytest.raises(InputError, match="none of the parameters"):
        lr_find(nn.Linear(4, 2), other, loss=cross_entropy, data=classes())


def test_an_optimizer_without_a_rate_is_refused():
    class Fixed(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        def step(self):
            pass

    model = nn.Linear(4, 2)
    with pytest.raises(InputError, match="no learning rate"):
        lr_find("linear", Fixed)
    with pytest.raises(InputError, match="no learning rate"):
        lr_find(model, Fixed(model.parameters()), loss=cross_entropy, data=classes())

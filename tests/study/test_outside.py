"""What models and losses have beside parameters and buffers: constants train together, what changes is told."""

import warnings
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from fallline.errors import InputError
from tests.study.studies import compare, line

pytestmark = pytest.mark.usefixtures("own_cache")


class Holding(nn.Linear):
    """A tensor that is a plain attribute."""

    def __init__(self):
        super().__init__(1, 1)
        self.scale = torch.full((1,), 3.0)

    def forward(self, x):
        return super().forward(x) * self.scale


class Remembering(nn.Linear):
    """Keeps its last output in a plain attribute."""

    def __init__(self, begin=None):
        super().__init__(1, 1)
        self.last = begin

    def forward(self, x):
        found = super().forward(x)
        self.last = found.detach().mean(0)
        return found


class Carrying(Remembering):
    """Reads in training what it remembers."""

    def forward(self, x):
        if not self.training:
            return nn.Linear.forward(self, x)
        before = self.last
        found = super().forward(x)
        return found if before is None else found + 0.3 * before


class Weighted(nn.Module):
    """A loss with a tensor, as classification losses have weights of classes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.tensor([0.25]))

    def forward(self, output, target):
        return (self.weight * (output - target).square()).mean()


def closed_over():
    weight = torch.tensor([0.25])
    return lambda output, target: (weight * (output - target).square()).mean()


class Rising(nn.Module):
    """A loss that counts its calls."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, output, target):
        self.calls += 1
        return mse_loss(output, target) * self.calls


class RisingObject:
    calls = 0

    def __call__(self, output, target):
        self.calls += 1
        return mse_loss(output, target) * self.calls


def rising_function():
    calls = [0]

    def loss(output, target):
        calls[0] += 1
        return mse_loss(output, target) * calls[0]

    return loss


class Scheduled:
    """A loss that becomes another late, counted in an object of its own."""

    def __init__(self):
        self.state = SimpleNamespace(calls=0)

    def __call__(self, output, target):
        self.state.calls += 1
        return mse_loss(output, target) * (1.0 if self.state.calls < 50 else 0.5)


class Paired(nn.Linear):
    """Keeps what it computed as a tuple."""

    def __init__(self):
        super().__init__(1, 1)

    def forward(self, x):
        found = super().forward(x)
        self.last = found.detach(), x
        return found


class Averaging(nn.Module):
    """A loss that divides by what it was."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.ones(()))

    def forward(self, output, target):
        found = mse_loss(output, target)
        if torch.is_grad_enabled():
            found = found / self.mean
            self.mean = 0.5 * self.mean + 0.5 * found.detach()
        return found


@pytest.mark.parametrize("runner", ["population", "compiled"])
@pytest.mark.parametrize(
    "problem",
    [line(model=Holding), line(loss=Weighted()), line(loss=closed_over()), line(model=Paired)],
    ids=["attribute", "buffer of a loss", "closed over", "tuple"],
)
def test_tensors_that_are_no_parameters_or_buffers_are_constants(tmp_path, problem, runner):
    loop = compare(tmp_path, problem, store=tmp_path / "loop", runner="loop")
    found = compare(tmp_path, problem, runner=runner)
    assert not any("begin anew" in told for told in found.plan["reasons"])
    for one, other in zip(loop.records, found.records, strict=True):
        assert other.curve["train_loss"] == pytest.approx(one.curve["train_loss"], rel=1e-5)


@pytest.mark.parametrize("begin", [None, torch.zeros(1)], ids=["nothing", "zeros"])
def test_what_is_remembered_and_not_read_again_does_no_harm(tmp_path, begin):
    problem = line(model=lambda: Remembering(begin))
    loop = compare(tmp_path, problem, store=tmp_path / "loop", runner="loop", batch_sizes=[24])
    found = compare(tmp_path, problem, runner="population", batch_sizes=[24])
    assert not any("begin anew" in told for told in found.plan["reasons"])
    for one, other in zip(loop.records, found.records, strict=True):
        assert other.curve["train_loss"] == pytest.approx(one.curve["train_loss"], rel=1e-5)


@pytest.mark.parametrize("begin", [None, torch.zeros(1)], ids=["nothing", "zeros"])
def test_what_is_carried_from_step_to_step_is_told(tmp_path, begin):
    with pytest.raises(InputError, match="it keeps last from one step to the next"):
        compare(tmp_path, line(model=lambda: Carrying(begin)), runner="population")


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (Rising(), "its loss changes calls as it runs"),
        (RisingObject(), "its loss changes calls as it runs"),
        (rising_function(), "its loss changes calls as it runs"),
        (Scheduled(), "its loss changes state as it runs"),
        (Averaging(), "it keeps mean from one step to the next"),
    ],
    ids=["module", "object", "function", "nested", "tensor"],
)
def test_losses_that_remember_are_told(tmp_path, loss, why):
    with pytest.raises(InputError, match=why):
        compare(tmp_path, line(loss=loss), runner="population")


def averaging(table):
    def loss(output, target):
        found = mse_loss(output, target)
        if not torch.is_grad_enabled():
            return found
        table["mean"] = 0.5 * table.get("mean", 1.0) + 0.5 * found.detach()
        return found / table["mean"]

    return loss


def rebinding():
    mean = torch.ones(())

    def loss(output, target):
        nonlocal mean
        found = mse_loss(output, target)
        if not torch.is_grad_enabled():
            return found
        mean = 0.5 * mean + 0.5 * found.detach()
        return found / mean

    return loss


@pytest.mark.parametrize("loss", [averaging({}), averaging({"mean": torch.ones(())}), rebinding()])
def test_what_is_refused_is_left_as_it_was(tmp_path, loss):
    problem = line(loss=loss)
    with pytest.raises(InputError, match="from one step to the next"):
        compare(tmp_path, problem, runner="population")
    found = compare(tmp_path, problem, runner="loop")
    assert all(record.outcome.ending == "finished" for record in found.records)


def test_what_losses_and_metrics_list_in_evaluations_too_is_put_back(tmp_path):
    seen = []

    def loss(output, target):
        found = mse_loss(output, target)
        seen.append(found)
        return found

    compare(tmp_path, line(loss=loss, metrics={"other_error": loss}), runner="population")
    assert all(float(one.detach()) > 0 for one in seen)


class Projecting(nn.Module):
    """Random features that are a plain attribute, others for every seed."""

    def __init__(self):
        super().__init__()
        self.features = torch.randn(1, 8)
        self.linear = nn.Linear(8, 1)

    def forward(self, x):
        return self.linear(torch.sin(x @ self.features))


def hooked():
    model = nn.Linear(1, 1)
    model.weight.register_hook(lambda gradient: gradient * 0)
    return model


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.GRU(1, 2, num_layers=2, dropout=0.5, batch_first=True)

    def forward(self, x):
        return self.cells(x.unsqueeze(-1))[0][:, -1, :1]


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(nn.Linear(1, 1))


class Helped(nn.Linear):
    """Counts in an object of its own."""

    def __init__(self):
        super().__init__(1, 1)
        self.counts = {"inner": {"steps": 0}}

    def forward(self, x):
        if self.training:
            self.counts["inner"]["steps"] += 1
        return super().forward(x) * self.counts["inner"]["steps"]


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (Projecting, "its features differs from seed to seed"),
        (hooked, "its parameters have hooks"),
        (Recurrent, "its recurrent layers drop out inside"),
        (scripted, "it is scripted by torch.jit"),
        (lambda: torch.compile(nn.Linear(1, 1), backend="eager"), "it is compiled by itself; give the module that"),
        (lambda: Helped(), "it changes counts as it runs"),
    ],
    ids=["seeds", "hooks", "recurrent dropout", "scripted", "compiled", "inner counter"],
)
def test_models_that_a_population_would_train_otherwise_are_told(tmp_path, model, why):
    with pytest.raises(InputError, match=why):
        compare(tmp_path, line(model=model), runner="population")


def test_layers_that_are_given_in_evaluation_mode_stay_in_it(tmp_path):
    def model():
        network = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        network[1].eval()
        return network

    loop = compare(tmp_path, line(model=model), store=tmp_path / "loop", runner="loop")
    found = compare(tmp_path, line(model=model), runner="population")
    for one, other in zip(loop.records, found.records, strict=True):
        assert other.curve["train_loss"] == pytest.approx(one.curve["train_loss"], rel=1e-5)


class OfFullBatches(nn.Linear):
    """Has a parameter that an epoch's last batch does not depend on."""

    def __init__(self):
        super().__init__(1, 1)
        self.shift = nn.Parameter(torch.ones(1))

    def forward(self, x):
        found = super().forward(x)
        return found if len(x) < 24 else found + self.shift


class OfRaggedBatches(OfFullBatches):
    """Has a parameter that only an epoch's last batch depends on."""

    def forward(self, x):
        found = nn.Linear.forward(self, x)
        return found + self.shift if len(x) < 24 else found


@pytest.mark.parametrize("model", [OfFullBatches, OfRaggedBatches])
def test_parameters_of_some_batches_train_as_in_the_loop(tmp_path, model):
    loop = compare(tmp_path, line(model=model), store=tmp_path / "loop", runner="loop", batch_sizes=[24])
    found = compare(tmp_path, line(model=model), runner="population", batch_sizes=[24])
    assert any("it uses shift in some batches and not in others" in told for told in found.plan["reasons"])
    for one, other in zip(loop.records, found.records, strict=True):
        assert other.curve["train_loss"] == pytest.approx(one.curve["train_loss"], rel=1e-5)

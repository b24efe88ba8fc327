import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

import fallline as fl
from fallline.api import lr_find
from fallline.errors import InputError
from tests.training.live_model import changed, classes, partly_trained, photograph
from tests.training.live_model import one_thread as one_thread

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

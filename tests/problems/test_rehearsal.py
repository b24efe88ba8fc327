import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from fallline.errors import InputError
from fallline.problems import Problem, accuracy, prepare, rehearse

CPU = torch.device("cpu")
X = torch.linspace(-1, 1, 40)[:, None]


def rehearsed(batch_size=8, factors=None, **changes):
    given = {"model": lambda: nn.Linear(1, 1), "loss": mse_loss, "train": (X, 2 * X), "name": "line"}
    given["factors"] = dict.fromkeys(factors or {}, "default")
    ready = prepare(Problem(**{**given, **changes}), 0, CPU)
    return rehearse(ready, 0, factors or {}, batch_size)


def test_a_rehearsal_leaves_an_untrained_model_and_a_batch_as_training_will_see_it():
    torch.manual_seed(4)
    before = torch.get_rng_state()
    model, batch = rehearsed()
    assert model.training
    assert [len(part) for part in batch] == [8, 8]
    assert torch.equal(before, torch.get_rng_state())


def test_factors_reach_the_model():
    made = []
    rehearsed(model=lambda width=3: made.append(width) or nn.Linear(1, 1), factors={"width": 5})
    assert set(made) == {5}


CLASSES = torch.arange(40) % 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": nn.Identity}, "Identity has no parameters"),
        ({"model": lambda: 3}, "must return an nn.Module"),
        ({"model": lambda: nn.Linear(2, 1)}, "model Linear failed on inputs"),
        ({"train": (X > 0, X)}, "model Linear failed on inputs .* Convert the inputs: "),
        (
            {"train": (X, X.flatten())},
            r"output float32\[32, 1\] does not fit the loss with targets float32\[32\]",
        ),
        ({"loss": lambda output, target: (output - target) ** 2}, "must return one number"),
        ({"loss": lambda output, target: torch.zeros(())}, "does not depend on the model's parameters"),
        ({"loss": cross_entropy, "model": lambda: nn.Linear(1, 3), "train": (X, CLASSES)}, "label 3 is outside"),
        (
            {"loss": cross_entropy, "model": lambda: nn.Linear(1, 4), "train": (X, CLASSES - 1)},
            "label -1 is outside",
        ),
        ({"train": X}, "needs batches of"),
        ({"metrics": {"accuracy": accuracy}, "train": (X, X.flatten())}, r"Write target\[:, None\]"),
        ({"metrics": {"rows": lambda output, target: output}}, "metric 'rows' must return one number"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_training(changes, message):
    with pytest.raises(InputError, match=message):
        rehearsed(**changes)


def test_integer_targets_of_other_losses_are_nobodys_labels():
    counts = (X, torch.arange(40) % 5)
    rehearsed(train=counts, loss=lambda output, target: (output.squeeze(1) - target).square().mean())


def test_labels_in_a_loader_are_checked_too():
    loader = DataLoader(TensorDataset(X, CLASSES), batch_size=8)
    with pytest.raises(InputError, match="label 3 is outside"):
        rehearsed(train=loader, loss=cross_entropy, model=lambda: nn.Linear(1, 3), batch_size=None)


def test_the_ragged_batch_is_rehearsed_in_training_mode_and_splits_in_evaluation_mode():
    def normed():
        return nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    rehearsed(model=normed, validation=(X[:1], X[:1]), batch_size=8)
    with pytest.raises(InputError, match="Expected more than 1 value"):
        rehearsed(model=normed, train=(X[:33], X[:33]), validation=0, batch_size=8)


@pytest.mark.parametrize("where", ["model", "loss", "metric"])
def test_failures_in_ones_own_code_are_told_with_their_line(where):
    def broken(*_):
        raise KeyError("mine")

    changes = {"metrics": {"own": broken}} if where == "metric" else {where: broken}
    with pytest.raises(InputError, match=r"KeyError: 'mine' \(.*test_rehearsal.py, line \d+\)"):
        rehearsed(**changes)


def test_failures_within_torch_are_told_with_the_line_that_led_there():
    def broken(output, target):
        return torch.nn.functional.binary_cross_entropy(output, target.reshape(-1)[:3])

    with pytest.raises(InputError, match=r"\(.*test_rehearsal.py, line \d+\)"):
        rehearsed(loss=broken)


def test_a_loss_that_takes_gradients_is_told_how_it_can_in_evaluations():
    def penalised(model, batch):
        x = batch[0].clone().requires_grad_()
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return slope.square().mean()

    def enabled(model, batch):
        with torch.enable_grad():
            return penalised(model, batch)

    with pytest.raises(InputError, match=r"evaluations take none: put what needs them under `with torch.enable_grad"):
        rehearsed(loss=penalised)
    rehearsed(loss=enabled)


@pytest.mark.parametrize("batch_size", [2000, 3000])
def test_a_batch_larger_than_an_evaluations_is_tried_whole(batch_size):
    x = torch.linspace(-1, 1, 3000)[:, None]
    seen = []
    _, batch = rehearsed(
        batch_size, train=(x, x), validation=0, loss=lambda output, target: seen.append(len(target)) or output.mean()
    )
    assert [len(part) for part in batch] == [batch_size, batch_size]
    assert batch_size in seen


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ((X, X), r"'Tensor' object is not callable .*"),
        (
            {"x": X, "y": X},
            r"^line: training data: loss\(output, target\) needs batches .* write loss\(model, batch\)\. ",
        ),
    ],
)
def test_a_loss_whose_first_parameter_is_not_called_model_is_told_what_decides(train, told):
    with pytest.raises(
        InputError, match=told + r"A loss whose first parameter is called `model` .*; .* called 'net'\."
    ):
        rehearsed(train=train, loss=lambda net, batch: mse_loss(net(batch[0]), batch[1]))


def test_a_metric_of_another_form_than_the_losss_is_named():
    changes = {"loss": lambda model, batch: mse_loss(model(batch[0]), batch[1]), "metrics": {"right": accuracy}}
    with pytest.raises(InputError, match=r"metric 'right', called as right\(model, batch\) because metrics .*'argmax'"):
        rehearsed(**changes)
    own = {"fine": lambda output, target: 1.0, "own": lambda model, batch: model(batch[0])}
    with pytest.raises(
        InputError, match=r"metric 'own', called as own\(output, target\) .* on \(float32\[32, 1\], float"
    ):
        rehearsed(metrics=own)

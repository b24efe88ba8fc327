import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from fallline.errors import InputError
from fallline.problems import Problem, initial_model, prepare

CPU = torch.device("cpu")
X = torch.linspace(-1, 1, 40)[:, None]


def problem(**changes):
    given = {"model": lambda: nn.Linear(1, 1), "loss": mse_loss, "train": (X, 2 * X), "name": "line"}
    return Problem(**{**given, **changes})


def test_a_fifth_is_held_out_by_a_keyed_choice():
    first, again, other = (prepare(problem(), seed, CPU) for seed in (0, 0, 1))
    assert first.rows == {"train": 32, "validation": 8}
    assert first.digests == again.digests
    assert first.digests != other.digests
    rows = (
        torch.cat([first.train.tensors[0], *(batch[0] for batch in first.validation.in_order())])
        .flatten()
        .sort()
        .values
    )
    assert torch.equal(rows, X.flatten())


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan"), True, 0.001, 0.999])
def test_a_fraction_that_cannot_be_held_out_is_refused(fraction):
    with pytest.raises(InputError, match="line: (validation must be|a fraction of)"):
        prepare(problem(validation=fraction), 0, CPU)


def test_validation_may_be_data_or_nothing():
    assert prepare(problem(validation=(X[:5], X[:5])), 0, CPU).rows == {"train": 40, "validation": 5}
    assert prepare(problem(), 0, CPU, validation=0).rows == {"train": 40}


def test_a_loader_cannot_be_split():
    loader = DataLoader(TensorDataset(X, X), batch_size=8)
    assert prepare(problem(train=loader), 0, CPU).validation is None
    with pytest.raises(InputError, match="cannot be split"):
        prepare(problem(train=loader), 0, CPU, validation=0.2)


def test_initial_weights_are_keyed_by_seed_and_index():
    ready = prepare(problem(), 0, CPU)
    weights = [initial_model(ready, seed, index).weight.item() for seed, index in [(0, 0), (0, 0), (0, 1), (1, 0)]]
    assert weights[0] == weights[1]
    assert len(set(weights)) == 3


def test_an_instance_means_these_weights_for_every_seed():
    model = nn.Linear(1, 1)
    ready = prepare(problem(model=model), 0, CPU)
    copies = [initial_model(ready, 0, index) for index in range(2)]
    assert all(torch.equal(copy.weight, model.weight) and copy is not model for copy in copies)


def test_the_global_generator_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    initial_model(prepare(problem(), 0, CPU), 0, 0)
    assert torch.equal(torch.rand(1), expected)


def test_loss_of_model_and_batch():
    data = {"x": X, "y": 2 * X}
    own = problem(train=data, loss=lambda model, batch: ((model(batch["x"]) - batch["y"]) ** 2).mean())
    ready = prepare(own, 0, CPU)
    assert ready.objective.loss(initial_model(ready, 0, 0), data).shape == ()


@pytest.mark.parametrize("field", ["model", "loss"])
def test_a_problem_refuses_what_cannot_be_called(field):
    with pytest.raises(InputError, match=field):
        problem(**{field: 3})


def test_an_instance_is_never_handed_out_itself():
    model = nn.Linear(1, 1)
    assert problem(model=model).make_model() is not model


def test_lazy_modules_get_keyed_weights():
    lazy = prepare(problem(model=lambda: nn.LazyLinear(1)), 0, CPU)
    weights = []
    for ambient, index in [(1, 0), (2, 0), (1, 1)]:
        torch.manual_seed(ambient)
        weights.append(initial_model(lazy, 0, index).weight.item())
    assert weights[0] == weights[1] != weights[2]


def test_own_validation_data_are_not_replaced_by_a_fraction():
    own = problem(validation=(X[:5], X[:5]))
    assert prepare(own, 0, CPU, validation=0).validation is None
    with pytest.raises(InputError, match="brings validation data of its own"):
        prepare(own, 0, CPU, validation=0.2)


def test_too_few_rows_for_the_default_are_all_trained_on():
    assert prepare(problem(train=(X[:2], X[:2])), 0, CPU).rows == {"train": 2}


@pytest.mark.parametrize("name", ["loss", "top 5"])
def test_metrics_need_names_of_their_own(name):
    with pytest.raises(InputError, match="a metric's name"):
        problem(metrics={name: mse_loss})

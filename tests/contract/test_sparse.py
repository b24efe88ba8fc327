"""Sparse gradients: the rows they name are stepped alone, as by torch's own classes; other rules refuse them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fallline import optim
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, Adagrad, Rule
from fallline.wrappers import L2, Clip, Maximize
from tests.conformance.variants import EXPORTED, NAMESAKES, torch_class
from tests.contract.trained import RULES, drawn

BATCHES = [[1, 4, 1], [0], [4, 4, 2, 5], []]
SPARSE = [name for name, rule in NAMESAKES.items() if rule().sparse]


def embedding() -> nn.Embedding:
    made = nn.Embedding(6, 3, sparse=True)
    with torch.no_grad():
        made.weight.copy_(drawn("start", 0, 0, (6, 3), torch.float64))
    return made


def losses(layer: nn.Embedding, step: int) -> Tensor:
    rows = torch.tensor(BATCHES[step % len(BATCHES)], dtype=torch.long)
    out = layer(rows)
    return (out * drawn("out", 0, step, tuple(out.shape), torch.float64)).sum() + out.square().sum()


def train(optimizer: Any, layer: nn.Embedding, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        losses(layer, step).backward()
        optimizer.step()


@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
@pytest.mark.parametrize("executor", ["auto", "reference", "foreach"])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("name", SPARSE)
def test_rows_equal_torch(name: str, maximize: bool, executor: str) -> None:
    mine, right = embedding(), embedding()
    ours = getattr(optim, name)([mine.weight], lr=0.1, maximize=maximize, executor=executor)
    torchs: Any = torch_class(NAMESAKES[name])
    theirs = torchs([right.weight], lr=0.1, maximize=maximize)
    train(ours, mine, range(10))
    train(theirs, right, range(10))
    assert torch.allclose(mine.weight, right.weight, rtol=1e-12, atol=0.0)
    saved, right_saved = ours.state_dict()["state"], theirs.state_dict()["state"]
    for entry, value in right_saved.get(0, {}).items():
        found = torch.as_tensor(saved[0][entry])
        assert torch.allclose(found.double(), torch.as_tensor(value).double(), rtol=1e-12, atol=0.0)
    assert saved.keys() >= right_saved.keys()


def test_the_rules_with_a_namesake_that_torch_gives_sparse_gradients_are_tried() -> None:
    assert {"SGD", "Adagrad", "SparseAdam"} <= set(SPARSE)


@pytest.mark.parametrize("name", SPARSE)
def test_rows_left_out_keep_weights_and_state(name: str) -> None:
    layer = embedding()
    optimizer = getattr(optim, name)([layer.weight], lr=0.1)
    train(optimizer, layer, range(3))
    before, state = layer.weight.detach().clone(), {k: v.clone() for k, v in optimizer.state[layer.weight].items()}
    train(optimizer, layer, range(1, 2))
    moved = (layer.weight != before).any(dim=1)
    assert moved.tolist() == [True, False, False, False, False, False]
    for entry, value in optimizer.state[layer.weight].items():
        if value.shape == before.shape:
            assert torch.equal(value[1:], state[entry][1:])


@pytest.mark.parametrize(
    "rule", [Clip(SGD(lr=0.1), norm=0.5), Clip(Adagrad(lr=0.1), value=0.1, global_norm=0.3), Maximize(SGD(lr=0.1))]
)
def test_wrappers_of_the_gradient_see_rows_as_the_whole(rule: Rule) -> None:
    rows, dense = embedding(), embedding()
    dense.sparse = False
    train(Optimizer([rows.weight], rule), rows, range(3))
    train(Optimizer([dense.weight], rule), dense, range(3))
    assert torch.allclose(rows.weight, dense.weight, rtol=1e-12, atol=0.0)


def test_gradient_of_several_sparse_dimensions() -> None:
    p, q = (drawn("start", 0, 0, (3, 4), torch.float64).requires_grad_() for _ in range(2))
    gradient = torch.zeros(3, 4)
    gradient[1, 2], gradient[0, 3] = 2.0, -1.0
    p.grad, q.grad = gradient.to_sparse(), gradient
    optim.Adagrad([p], lr=0.1).step()
    optim.Adagrad([q], lr=0.1).step()
    assert torch.allclose(p, q, rtol=1e-15, atol=0.0)


@RULES
def test_a_rule_takes_rows_or_names_the_parameter(rule: Rule) -> None:
    layer = embedding()
    optimizer = Optimizer([("embedding.weight", layer.weight)], rule)
    losses(layer, 0).backward()
    before = layer.weight.detach().clone()
    if rule.sparse:
        optimizer.step()
        assert not torch.equal(layer.weight, before)
        return
    with pytest.raises(InputError, match=r"takes no sparse gradient, such as parameter 'embedding.weight'.*sparse=Fal"):
        optimizer.step()
    assert torch.equal(layer.weight, before)
    assert not optimizer.state


def test_decay_that_moves_every_row_is_refused() -> None:
    layer = embedding()
    losses(layer, 0).backward()
    with pytest.raises(InputError, match=r"L2\(SGD\) takes no sparse gradient"):
        Optimizer([layer.weight], L2(SGD(), 0.1)).step()
    with pytest.raises(InputError, match=r"SGD takes no sparse gradient, such as parameter 0 of group 0 of shape"):
        optim.SGD([layer.weight], momentum=0.9).step()


def test_a_refused_gradient_leaves_the_others_untouched() -> None:
    layer, p = embedding(), torch.tensor([1.0], requires_grad=True)
    optimizer = optim.Adam([p, layer.weight], lr=0.1)
    p.grad = torch.tensor([1.0])
    losses(layer, 0).backward()
    with pytest.raises(InputError, match="parameter 1 of group 0"):
        optimizer.step()
    assert p.item() == 1.0
    layer.weight.grad = None
    optimizer.step()
    assert p.item() == pytest.approx(0.9, rel=1e-7)
    assert optimizer.state[p]["step"].item() == 1


def test_every_exported_rule_declares_whether_it_takes_rows() -> None:
    assert all(isinstance(made().sparse, bool) for made in EXPORTED.values())

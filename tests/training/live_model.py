"""A model and an optimizer in the middle of a training, and what may have changed in them."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

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

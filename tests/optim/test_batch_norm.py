"""Running statistics in a step that takes a further gradient: each batch counts once, at the trained weights."""

import copy
import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fallline.optim import Optimizer
from fallline.optim.batch_norm import statistics_unmoved
from fallline.rules import SGD
from fallline.wrappers import SAM

X = torch.randn(3, 8, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def network() -> nn.Sequential:
    torch.manual_seed(3)
    norms = nn.BatchNorm1d(4), nn.BatchNorm1d(4, momentum=0.5), nn.BatchNorm1d(4).eval()
    return nn.Sequential(nn.Linear(3, 4), norms[0], nn.Linear(4, 4), norms[1], norms[2], nn.Linear(4, 1))


def buffers(model: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in model.buffers()]


def step(model: Any, optimizer: Optimizer, x: Tensor) -> None:
    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = model(x).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)


@pytest.mark.filterwarnings("ignore:Using `torch.compile")  # as an import of the room does outside of pytest
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "torch.compile"])
def test_statistics_are_of_the_first_pass_alone(compiled: bool) -> None:
    model = network()
    called = torch.compile(model, backend="eager") if compiled else model
    optimizer = Optimizer(model.parameters(), SAM(SGD(lr=0.1), rho=0.5))
    for x in X:
        once = copy.deepcopy(model)
        once(x)
        step(called, optimizer, x)
        assert all(torch.equal(a, b) for a, b in zip(buffers(model), buffers(once), strict=True))


def test_a_pass_that_fails_leaves_them_too() -> None:
    model = network()
    before = buffers(model)

    def broken() -> None:
        with statistics_unmoved():
            model(X[0])
            raise RuntimeError("no more data")

    with pytest.raises(RuntimeError, match="no more data"):
        broken()
    assert all(torch.equal(a, b) for a, b in zip(buffers(model), before, strict=True))
    model(X[0])
    assert not torch.equal(buffers(model)[0], before[0])


def test_what_another_thread_trains_is_left_alone() -> None:
    ours, theirs = network(), network()
    with statistics_unmoved():
        ours(X[0])
        thread = threading.Thread(target=theirs, args=(X[0],))
        thread.start()
        thread.join()
    assert buffers(ours)[2].item() == 0
    assert buffers(theirs)[2].item() == 1

"""Two processes that share a batch train as one does: DistributedDataParallel, and weights that are fully sharded."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from torch import Tensor, nn

from fallline.optim import Optimizer
from fallline.rules import SGD, Momentum, Rule
from fallline.study.abilities import WRAPPERS, around
from fallline.wrappers import L2, Clip, Noise
from tests.conformance.variants import EXPORTED
from tests.contract.trained import drawn

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()), reason="no gloo here"
)
STEPS, ROWS = 3, 8
WAYS = ("replicated", "sharded")
RULES: list[Rule] = [
    *(made() for made in EXPORTED.values() if made().acts_on != "matrix"),
    *(around(wrapper, Momentum(lr=0.1)) for wrapper in WRAPPERS.values()),
    Noise(Clip(L2(SGD(lr=0.1), 0.1), norm=0.1, global_norm=0.2), eta=0.1),
]


def network() -> nn.Sequential:
    made = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).double()
    with torch.no_grad():
        for i, p in enumerate(made.parameters()):
            p.copy_(drawn("weights", i, 0, tuple(p.shape), torch.float64))
    return made


def trained(model: nn.Module, rule: Rule, rows: slice) -> Optimizer:
    """Some steps on some rows of each batch."""
    inner = getattr(model, "module", model)  # noise is keyed by the names in the model itself
    optimizer = Optimizer(inner.named_parameters(), rule, executor="foreach")

    def closure(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = (model(x) - x[:, :2]).square().mean()
        loss.backward()
        return loss

    for step in range(STEPS):
        optimizer.step(partial(closure, drawn("x", 0, step, (ROWS, 4), torch.float64)[rows]))
    return optimizer


def alone(rule: Rule) -> list[Tensor]:
    model = network()
    trained(model, rule, slice(None))
    return [p.detach() for p in model.parameters()]


def process(rank: int, folder: str) -> None:
    """What each of the two processes does; the first writes the weights that came out."""
    from torch.distributed.fsdp import fully_shard  # where torch was built without it, collection goes on

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    mesh = torch.distributed.init_device_mesh("cpu", (2,))
    found: dict[str, list[list[Tensor]]] = {way: [] for way in WAYS}
    for way in WAYS:
        for rule in RULES:
            model: Any = network()
            if way == "sharded":
                fully_shard(model, mesh=mesh)
            else:
                model = nn.parallel.DistributedDataParallel(model)
            optimizer = trained(model, rule, slice(rank, None, 2))
            optimizer.load_state_dict(optimizer.state_dict())
            found[way].append([whole(p.detach()) for p in model.parameters()])
    if rank == 0:
        torch.save(found, f"{folder}/weights.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def whole(p: Any) -> Tensor:
    """All of a parameter that may be sharded."""
    found: Tensor = p.full_tensor() if hasattr(p, "full_tensor") else p
    return found.clone()


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(process, (str(tmp_path),), nprocs=2)
    found = torch.load(tmp_path / "weights.pt", weights_only=True)
    right = [alone(rule) for rule in RULES]
    for way in WAYS:
        for rule, weights, expected in zip(RULES, found[way], right, strict=True):
            for p, q in zip(weights, expected, strict=True):
                assert torch.allclose(p, q, rtol=1e-9, atol=1e-11), (way, rule)

"""Two processes that share a batch train as one does: DistributedDataParallel, and weights that are fully sharded."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from torch import Tensor, nn

from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, SOAP, AdamW, Momentum, Muon, Rule
from fallline.study.abilities import WRAPPERS, around
from fallline.wrappers import L2, Clip, Noise, Route
from tests.conformance.variants import EXPORTED
from tests.contract.trained import drawn

pytestmark = pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()), reason="no gloo here"
)
STEPS, ROWS = 3, 8
RULES: list[Rule] = [
    *(made() for made in EXPORTED.values() if 1 in made().ranks),
    # Rounding to bfloat16 would hide what differs.
    Route(Muon(lr=0.02, bfloat16=False), others=AdamW()),
    *(around(wrapper, Momentum(lr=0.1)) for wrapper in WRAPPERS.values()),
    Noise(Clip(L2(SGD(lr=0.1), 0.1), norm=0.1, global_norm=0.2), eta=0.1),
]
RUN = {"replicated": RULES, "sharded": [rule for rule in RULES if rule.sharded]}


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
    found: dict[str, Any] = {way: [] for way in RUN}
    for way in RUN:
        for rule in RUN[way]:
            model: Any = network()
            if way == "sharded":
                fully_shard(model, mesh=mesh)
            else:
                model = nn.parallel.DistributedDataParallel(model)
            optimizer = trained(model, rule, slice(rank, None, 2))
            optimizer.load_state_dict(optimizer.state_dict())
            found[way].append([whole(p.detach()) for p in model.parameters()])
    found["refusals"] = refusals(mesh)
    if rank == 0:
        torch.save(found, f"{folder}/weights.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def refusals(mesh: Any) -> dict[str, str]:
    """What is said of a sharded parameter that cannot be stepped, when the optimizer is made."""
    from torch.distributed.tensor import Shard, distribute_tensor

    p = nn.Parameter(distribute_tensor(torch.ones(4, 2), mesh, [Shard(0)]))
    return {
        "rule": refusal(lambda: Optimizer([p], L2(Route(SOAP(), others=AdamW())))),
        "executor": refusal(lambda: Optimizer([p], Momentum(), executor="compiled")),
    }


def refusal(make: Callable[[], object]) -> str:
    try:
        make()
    except InputError as error:
        return str(error)
    return ""


def whole(p: Any) -> Tensor:
    """All of a parameter that may be sharded."""
    found: Tensor = p.full_tensor() if hasattr(p, "full_tensor") else p
    return found.clone()


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(process, (str(tmp_path),), nprocs=2)
    found = torch.load(tmp_path / "weights.pt", weights_only=True)
    for way, rules in RUN.items():
        for rule, weights in zip(rules, found[way], strict=True):
            for p, q in zip(weights, alone(rule), strict=True):
                assert torch.allclose(p, q, rtol=1e-9, atol=1e-11 * rule.amplifies), (way, rule)
    assert "SOAP needs whole matrices" in found["refusals"]["rule"]
    assert "is sharded, and executor='compiled' takes whole tensors" in found["refusals"]["executor"]

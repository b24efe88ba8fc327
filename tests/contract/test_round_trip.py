"""Every rule under every executor goes on bit for bit: saved and loaded as weights only, copied, and pickled."""

import copy
import io
import pickle
from typing import Any

import pytest
import torch

from fallline import optim
from fallline.executors import Compiled
from fallline.executors.kernels import uncompiled
from fallline.optim import Optimizer
from fallline.optim.optimizer import EXECUTORS
from fallline.rules import Rule
from fallline.wrappers import Clip, Noise
from tests.conformance.variants import EXPORTED
from tests.contract.trained import RULES, copies, parameters, same, train, trained

UNDER_EVERY_EXECUTOR = pytest.mark.parametrize("executor", list(dict.fromkeys(["auto", *EXECUTORS])))
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])


@pytest.fixture(autouse=True)
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiled executor runs its graph as it is: what it does is the same, and nothing is compiled."""
    monkeypatch.setitem(EXECUTORS, "compiled", Compiled(uncompiled))


def saved(optimizer: Any) -> Any:
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@DTYPES
@UNDER_EVERY_EXECUTOR
@RULES
def test_a_loaded_state_goes_on_bit_for_bit(rule: Rule, executor: str, dtype: torch.dtype) -> None:
    optimizer, params = trained(rule, steps=3, dtype=dtype, executor=executor)
    packed = saved(optimizer)
    others = copies(params)
    named = [(f"layer{i}.weight", p) for i, p in enumerate(others)]
    other = Optimizer(named, rule.replace({"lr": 0.5 * rule.hyperparameters()["lr"]}), executor=executor)
    other.load_state_dict(packed)
    train(optimizer, params, range(3, 6))
    train(other, others, range(3, 6))
    assert same(params, others)
    assert repr(optimizer.state_dict()) == repr(other.state_dict())


@UNDER_EVERY_EXECUTOR
@pytest.mark.parametrize("name", EXPORTED)
def test_a_faces_state_goes_on_bit_for_bit(name: str, executor: str) -> None:
    made = getattr(optim, name)
    params = parameters()
    optimizer = made(params, executor=executor)
    train(optimizer, params, range(3))
    others = copies(params)
    other = made(others, executor=executor)
    other.load_state_dict(saved(optimizer))
    train(optimizer, params, range(3, 5))
    train(other, others, range(3, 5))
    assert same(params, others)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
@UNDER_EVERY_EXECUTOR
@RULES
def test_copies_go_on_bit_for_bit_and_apart(rule: Rule, executor: str, copied: Any) -> None:
    optimizer, params = trained(rule, executor=executor, seed=3)
    twin = copied(optimizer)
    others = twin.param_groups[0]["params"]
    before = copies(others)
    train(optimizer, params, range(3, 5))
    assert same(others, before)
    train(twin, others, range(3, 5))
    assert same(params, others)
    assert (twin.rule, twin.executor, twin.seed, repr(twin)) == (rule, executor, 3, repr(optimizer))


def test_wrapped_rules_go_on_with_their_noise() -> None:
    rule = Noise(Clip(EXPORTED["Adam"](), norm=0.5), eta=0.1)
    optimizer, params = trained(rule, seed=5)
    others = copies(params)
    other = Optimizer([(f"layer{i}.weight", p) for i, p in enumerate(others)], rule, seed=5)
    other.load_state_dict(saved(optimizer))
    train(optimizer, params, range(3, 5))
    train(other, others, range(3, 5))
    assert same(params, others)

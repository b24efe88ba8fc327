"""Every rule with a namesake against torch's own class: values, states, signatures and schedulers."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from fallline import optim
from fallline.rules import Rule
from tests.conformance.training import furthest, furthest_state, parameters, train
from tests.conformance.variants import NAMESAKES, shapes_of, torch_class, torch_settings

STEPS = 100
HUNDRED_STEPS = {torch.float64: 1e-12, torch.float32: 1e-5}
# An average of gradients is a small rest of larger numbers: in float32 it keeps fewer digits than weights do.
HUNDRED_STEPS_STATE = {torch.float64: 1e-12, torch.float32: 1e-4}
ONE_STEP = {torch.float64: 1e-12, torch.float32: 1e-6}
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
SETTINGS = pytest.mark.parametrize("setting", torch_settings())
RULES = pytest.mark.parametrize("rule", NAMESAKES.values(), ids=NAMESAKES.keys())

Setting = tuple[type[Rule], dict[str, Any]]


def pair(setting: Setting, dtype: torch.dtype, **ours: Any) -> tuple[Any, Any, list[Any], list[Any]]:
    """Our optimizer and torch's, with equal parameters, under the default type that torch's scalars take."""
    rule, keywords = setting
    torch.set_default_dtype(dtype)
    mine, right = parameters(dtype, shapes_of(rule)), parameters(dtype, shapes_of(rule))
    made: Any = torch_class(rule)
    return getattr(optim, rule.__name__)(mine, **keywords, **ours), made(right, **keywords), mine, right


@SETTINGS
@DTYPES
def test_hundred_steps_equal_torch(setting: Setting, dtype: torch.dtype) -> None:
    ours, torchs, mine, right = pair(setting, dtype)
    # What rounds to bfloat16 inside enlarges a last bit of float32 from step to step.
    steps = 1 if ours.rule.rounds and dtype == torch.float32 else STEPS
    train(ours, mine, range(steps))
    train(torchs, right, range(steps))
    assert furthest(mine, right) <= HUNDRED_STEPS[dtype]
    state_apart = furthest_state(ours.state_dict()["state"], torchs.state_dict()["state"])
    assert state_apart <= HUNDRED_STEPS_STATE[dtype]


@SETTINGS
@DTYPES
def test_one_step_from_torchs_state_equals_torch(setting: Setting, dtype: torch.dtype) -> None:
    ours, torchs, mine, right = pair(setting, dtype, executor="reference")
    train(torchs, right, range(10))
    take_over(mine, right)
    ours.load_state_dict(copy.deepcopy(torchs.state_dict()))
    train(ours, mine, range(10, 11))
    train(torchs, right, range(10, 11))
    assert furthest(mine, right) <= ONE_STEP[dtype]
    assert furthest_state(ours.state_dict()["state"], torchs.state_dict()["state"]) <= ONE_STEP[dtype]


@SETTINGS
def test_torch_goes_on_from_our_state(setting: Setting) -> None:
    ours, torchs, mine, right = pair(setting, torch.float64)
    train(ours, mine, range(7))
    take_over(right, mine)
    torchs.load_state_dict(copy.deepcopy(ours.state_dict()))
    train(ours, mine, range(7, 20))
    train(torchs, right, range(7, 20))
    assert furthest(mine, right) <= 1e-12


@RULES
def test_face_has_torchs_signature(rule: type[Rule]) -> None:
    theirs = [(p.name, p.kind, p.default) for p in inspect.signature(torch_class(rule)).parameters.values()]
    face = inspect.signature(getattr(optim, rule.__name__))
    ours = [(p.name, p.kind, p.default) for p in face.parameters.values()]
    assert ours[: len(theirs)] == theirs
    assert all(kind is inspect.Parameter.KEYWORD_ONLY for _, kind, _ in ours[len(theirs) :])


@SETTINGS
def test_groups_hold_torchs_keys_and_values(setting: Setting) -> None:
    ours, torchs, _, _ = pair(setting, torch.float64)
    known = inspect.signature(type(torchs)).parameters
    for key in torchs.defaults.keys() & known.keys():
        assert ours.param_groups[0][key] == torchs.param_groups[0][key]


def momentum_cycles(optimizer: Any) -> bool:
    return "momentum" in optimizer.defaults or "betas" in optimizer.defaults


def plateau(optimizer: Any) -> Callable[[int], object]:
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=2, factor=0.5)
    return lambda step: scheduler.step(1.0)


def stepping(make: Callable[[Any], lr_scheduler.LRScheduler]) -> Callable[[Any], Callable[[int], object]]:
    def attach(optimizer: Any) -> Callable[[int], object]:
        scheduler = make(optimizer)
        return lambda step: scheduler.step()

    return attach


SCHEDULERS: dict[str, Callable[[Any], Callable[[int], object]]] = {
    "StepLR": stepping(lambda o: lr_scheduler.StepLR(o, 3, gamma=0.5)),
    "CosineAnnealingLR": stepping(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=20)),
    "OneCycleLR": stepping(
        lambda o: lr_scheduler.OneCycleLR(o, 0.05, total_steps=40, cycle_momentum=momentum_cycles(o))
    ),
    "CyclicLR": stepping(
        lambda o: lr_scheduler.CyclicLR(o, 1e-3, 0.05, step_size_up=4, cycle_momentum=momentum_cycles(o))
    ),
    "LinearLR": stepping(lambda o: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=5)),
    "warm-up from 0": stepping(lambda o: lr_scheduler.LambdaLR(o, lambda step: min(1.0, step / 5))),
    "ReduceLROnPlateau": plateau,
}


@pytest.mark.parametrize("attach", SCHEDULERS.values(), ids=SCHEDULERS.keys())
@RULES
def test_schedulers_act_as_on_torch(rule: type[Rule], attach: Callable[[Any], Callable[[int], object]]) -> None:
    ours, torchs, mine, right = pair((rule, {}), torch.float64)
    still, torchs_still, unscheduled, right_unscheduled = pair((rule, {}), torch.float64)
    train(ours, mine, range(30), attach(ours))
    train(torchs, right, range(30), attach(torchs))
    train(still, unscheduled, range(30))
    train(torchs_still, right_unscheduled, range(30))
    assert furthest(mine, right) <= 1e-12
    # A rate may be read once, at the first step (Rprop): what is scheduled later then moves neither.
    assert (furthest(mine, unscheduled) > 1e-6) == (furthest(right, right_unscheduled) > 1e-6)
    assert ours.param_groups[0]["lr"] == torchs.param_groups[0]["lr"]


def take_over(params: list[Any], source: list[Any]) -> None:
    with torch.no_grad():
        for p, q in zip(params, source, strict=True):
            p.copy_(q)

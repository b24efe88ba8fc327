"""load_state_dict refuses a state that is not this optimizer's, before anything is changed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from fallline import optim
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.optim.groups import rule_of
from fallline.optim.views import first_state
from fallline.rules import SGD, Adam, Momentum, Rule
from fallline.wrappers import L2, Clip
from tests.conformance.variants import EXPORTED
from tests.contract.trained import RULES, copies, parameters, same, train, trained

Change = Callable[[dict[str, Any]], None]


def refused(optimizer: Any, params: list[Any], packed: Any, message: str) -> None:
    """The state is refused with the message, and the optimizer goes on as one that never saw it."""
    twin = copy.deepcopy(optimizer)
    others = [p for group in twin.param_groups for p in group["params"]]
    kept = copy.deepcopy(packed)
    with pytest.raises(InputError, match=message):
        optimizer.load_state_dict(packed)
    assert repr(packed) == repr(kept)
    train(optimizer, params, range(5, 7))
    train(twin, others, range(5, 7))
    assert same(params, others)


@RULES
def test_missing_unknown_and_misshapen_entries_name_the_parameter(rule: Rule) -> None:
    optimizer, params = trained(rule, executor="foreach")
    packed = optimizer.state_dict()
    entries = [name for name in packed["state"][1] if name != "step"]
    for name in entries:
        without = copy.deepcopy(packed)
        del without["state"][1][name]
        refused(optimizer, params, without, f"The saved state of parameter 'layer1.weight' lacks '{name}'")
        misshapen = copy.deepcopy(packed)
        value = misshapen["state"][1][name]
        misshapen["state"][1][name] = torch.zeros((*value.shape, 2))
        refused(optimizer, params, misshapen, rf"{name} of parameter 'layer1.weight' has shape \(.*2,?\) in the saved")
        number = copy.deepcopy(packed)
        number["state"][1][name] = 3.0
        refused(optimizer, params, number, f"{name} of parameter 'layer1.weight' must be a tensor.*float")
    more = copy.deepcopy(packed)
    more["state"][0]["other"] = torch.zeros(4, 3)
    refused(optimizer, params, more, "The saved state of parameter 'layer0.weight' has 'other'; this rule keeps")


@RULES
def test_state_of_every_other_rule_is_refused(rule: Rule) -> None:
    optimizer, params = trained(rule, executor="foreach")
    for name, made in EXPORTED.items():
        other, _ = trained(made(), executor="foreach")
        theirs, mine = other.state_dict(), optimizer.state_dict()
        ours, saved = mine["param_groups"][0], theirs["param_groups"][0]
        # What SGD can leave out (None), Momentum cannot.
        alike = ours.keys() == saved.keys() and (saved.get("momentum", 0.0) is not None or name == type(rule).__name__)
        # With keys of the same names the saved values may say that the same entries are kept.
        adopted = rule_of(rule, saved, False, checked=False) if alike else rule
        if not alike or {*first_state(adopted, params[0]), "step"} != theirs["state"][0].keys():
            refused(optimizer, params, theirs, "another optimizer's state")
        if not alike and not theirs["param_groups"][0].keys() > mine["param_groups"][0].keys():
            refused(optimizer, params, {**theirs, "state": {}}, "another optimizer's state")
        assert alike or name != type(rule).__name__


@RULES
def test_types_that_lose_digits_are_refused_and_wider_ones_taken(rule: Rule) -> None:
    wide, _ = trained(rule, dtype=torch.float64)
    narrow, params = trained(rule, dtype=torch.float32)
    saved, floats = wide.state_dict(), narrow.state_dict()
    lossy = [
        (index, name)
        for index, state in saved["state"].items()
        for name, value in state.items()
        if name != "step" and value.dim() and value.dtype != floats["state"][index][name].dtype
    ]
    if lossy:
        refused(narrow, params, saved, r"of parameter 'layer\d.weight' is float64 in the saved state and float32 here")
    wide.load_state_dict(floats)
    for index, name in lossy:
        value = wide.state_dict()["state"][index][name]
        assert value.dtype == torch.float64
        assert torch.equal(value, floats["state"][index][name].double())


def test_half_precision_takes_no_single_precision() -> None:
    single, _ = trained(Adam(), dtype=torch.float32)
    for dtype in (torch.bfloat16, torch.float16):
        half, params = trained(Adam(), dtype=dtype)
        refused(half, params, single.state_dict(), f"is float32 in the saved state and {str(dtype)[6:]} here")
    bfloat, _ = trained(Adam(), dtype=torch.bfloat16)
    refused(half, params, bfloat.state_dict(), "is bfloat16 in the saved state and float16 here")


def reorder(packed: dict[str, Any]) -> None:
    packed["param_groups"][0]["param_names"].reverse()


def rename(packed: dict[str, Any]) -> None:
    packed["param_groups"][0]["param_names"][1] = "head.weight"


def add_group(packed: dict[str, Any]) -> None:
    packed["param_groups"].append({**packed["param_groups"][0], "params": []})


def add_parameter(packed: dict[str, Any]) -> None:
    packed["param_groups"][0]["params"].append(2)


def add_key(packed: dict[str, Any]) -> None:
    packed["param_groups"][0]["rho"] = 0.9


def drop_key(packed: dict[str, Any]) -> None:
    del packed["param_groups"][0]["eps"]


def lose_parameter(packed: dict[str, Any]) -> None:
    packed["state"][7] = packed["state"].pop(0)


def spoil_count(packed: dict[str, Any]) -> None:
    packed["state"][0]["step"] = "3"


def drop_count(packed: dict[str, Any]) -> None:
    del packed["state"][0]["step"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            reorder,
            "Group 0 has the same parameters in another order: where the saved state has 'layer1.weight', .* 'lay",
        ),
        (rename, "Group 0 has other parameters: where the saved state has 'head.weight', the optimizer has 'layer1.we"),
        (add_group, "The saved state has 2 parameter groups, the optimizer 1"),
        (add_parameter, "Group 0 has 3 parameters in the saved state, 2 in the optimizer"),
        (add_key, "Group 0 of the saved state holds 'rho', which is no hyperparameter here"),
        (drop_key, "Group 0 of the saved state lacks 'eps'"),
        (lose_parameter, "entries for parameter 7, which is in none of its groups"),
        (spoil_count, "step of parameter 'layer0.weight' must be a number"),
        (drop_count, "parameter 'layer0.weight' lacks 'step'"),
        (dict.clear, "has 'state' and 'param_groups'; got an empty one"),
        (lambda packed: packed.pop("state"), "has 'state' and 'param_groups'; got param_groups"),
    ],
)
def test_other_groups_and_names_are_refused(change: Change, message: str) -> None:
    optimizer, params = trained(Adam())
    packed = copy.deepcopy(optimizer.state_dict())
    change(packed)
    refused(optimizer, params, packed, message)


def test_parameters_without_names_are_called_by_their_place() -> None:
    params = parameters()
    optimizer = optim.Adam([{"params": [params[0]]}, {"params": [params[1]], "lr": 0.5}])
    train(optimizer, params, range(2))
    packed = copy.deepcopy(optimizer.state_dict())
    packed["state"][1]["exp_avg"] = torch.zeros(5, 3)
    refused(optimizer, params, packed, r"exp_avg of parameter 0 of group 1 has shape \(5, 3\) .* here \(3, 5\)")


def test_a_wrapped_rules_state_is_another_than_the_rules() -> None:
    plain, params = trained(SGD())
    wrapped, _ = trained(L2(SGD(), 0.1))
    refused(plain, params, wrapped.state_dict(), "holds 'l2.weight_decay'")
    with pytest.raises(InputError, match=r"lacks 'l2.weight_decay'"):
        wrapped.load_state_dict(plain.state_dict())


@RULES
def test_a_state_without_entries_is_a_first_one(rule: Rule) -> None:
    fresh = Optimizer(parameters(), rule)
    packed = fresh.state_dict()
    assert packed["state"] == {}
    optimizer, params = trained(rule)
    optimizer.load_state_dict(packed)
    again = copies(params)
    train(optimizer, params, range(2))
    train(Optimizer(again, rule), again, range(2))
    assert same(params, again)


def test_a_parameter_may_lack_a_state_as_one_without_gradients_does() -> None:
    params = parameters()
    optimizer = optim.Adam(params)
    train(optimizer, params[:1], range(2))
    other = optim.Adam(copies(params))
    other.load_state_dict(optimizer.state_dict())
    assert len(other.state) == 1


def test_decay_and_ascent_that_only_a_wrapper_would_give_are_refused() -> None:
    optimizer, params = trained(Adam())
    faces = optim.Adam([(f"layer{i}.weight", p) for i, p in enumerate(copies(params))])
    optimizer.load_state_dict(faces.state_dict())
    for key, value in {"weight_decay": 0.1, "maximize": True}.items():
        packed = faces.state_dict()
        packed["param_groups"][0][key] = value
        refused(optimizer, params, packed, f"holds '{key}'")


def test_hooks_may_mend_a_state_before_it_is_checked() -> None:
    optimizer, _ = trained(Adam())
    packed = copy.deepcopy(optimizer.state_dict())
    for state in packed["state"].values():
        state["m"] = state.pop("exp_avg")

    def mend(_: Any, found: dict[str, Any]) -> dict[str, Any]:
        state = {i: {"exp_avg" if k == "m" else k: x for k, x in kept.items()} for i, kept in found["state"].items()}
        return {**found, "state": state}

    seen = []
    optimizer.register_load_state_dict_pre_hook(mend)
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append(len(o.state)))
    optimizer.load_state_dict(packed)
    assert seen == [2]
    assert "m" in packed["state"][0]


def test_what_a_schedule_switched_off_is_kept() -> None:
    optimizer, params = trained(SGD(momentum=0.9))
    optimizer.param_groups[0]["momentum"] = None
    train(optimizer, params, range(3, 4))
    other, _ = trained(SGD(momentum=0.9))
    other.load_state_dict(optimizer.state_dict())
    assert "momentum_buffer" in other.state_dict()["state"][0]


def test_values_out_of_range_are_loaded_as_a_schedule_wrote_them() -> None:
    optimizer, _ = trained(SGD(lr=0.1))
    optimizer.param_groups[0]["lr"] = -0.1
    other, _ = trained(SGD(lr=0.1))
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == -0.1


def test_loaded_state_is_apart_from_what_it_was_loaded_from() -> None:
    optimizer, _ = trained(Adam())
    packed = optimizer.state_dict()
    other, _ = trained(Adam(), steps=0)
    other.load_state_dict(packed)
    for state in other.state.values():
        state["exp_avg"].zero_()
    assert packed["state"][0]["exp_avg"].abs().sum() > 0


def test_clip_adds_nothing_to_the_state() -> None:
    optimizer, _ = trained(Clip(Momentum(), norm=1.0))
    other, _ = trained(Clip(Momentum(), norm=2.0), steps=0)
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["clip.norm"] == 1.0

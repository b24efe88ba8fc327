"""The group rule: which parameters are weights, and penalties that act on these alone."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from fallline.errors import InputError
from fallline.optim import Optimizer, every_parameter, is_weight, weights_only
from fallline.rules import SGD, Adam, AdamW, Rule
from fallline.wrappers import L1, L2, Clip, DecoupledDecay, Maximize, Wrapper

PENALISED = L1(L2(SGD(lr=0.1), 0.2), 0.3)
OFF = {"l1.strength": 0.0, "l2.weight_decay": 0.0}


def names(groups: list[dict[str, Any]]) -> list[list[str]]:
    return [[name for name, _ in group["params"]] for group in groups]


def values(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


def mlp() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))


def test_mlp_with_batch_norm_has_its_weights_penalised() -> None:
    model = mlp()
    groups = weights_only(model, PENALISED)
    assert names(groups) == [["0.weight", "3.weight"], ["0.bias", "1.weight", "1.bias", "3.bias"]]
    assert [values(group) for group in groups] == [{}, OFF]
    assert groups[0]["params"][0][1] is model[0].weight  # type: ignore[index]


def test_recurrent_weights_and_biases_are_told_apart() -> None:
    penalised, others = names(weights_only(nn.LSTM(2, 3, num_layers=2, bidirectional=True, proj_size=2), PENALISED))
    assert set(penalised) == {
        f"weight_{kind}_l{layer}{way}" for kind in ("ih", "hh", "hr") for layer in (0, 1) for way in ("", "_reverse")
    }
    assert set(others) == {
        f"bias_{kind}_l{layer}{way}" for kind in ("ih", "hh") for layer in (0, 1) for way in ("", "_reverse")
    }


def test_attention_has_biases_by_other_names() -> None:
    groups = names(weights_only(nn.MultiheadAttention(4, 2, add_bias_kv=True), PENALISED))
    assert groups == [["in_proj_weight", "out_proj.weight"], ["in_proj_bias", "bias_k", "bias_v", "out_proj.bias"]]


@pytest.mark.parametrize(
    "module",
    [
        nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.BatchNorm3d(2), nn.SyncBatchNorm(2), nn.LazyBatchNorm1d(),
        nn.InstanceNorm2d(2, affine=True), nn.LayerNorm(2), nn.GroupNorm(1, 2), nn.RMSNorm(2),
    ],
    ids=lambda module: type(module).__name__,
)  # fmt: skip
def test_normalisation_has_no_weights(module: nn.Module) -> None:
    assert not any(is_weight(name, p, module) for name, p in module.named_parameters())


def test_word_bias_must_be_a_whole_part_of_the_last_name() -> None:
    linear = nn.Linear(1, 1)
    assert not is_weight("attention.relative_bias", linear.weight, linear)
    assert is_weight("debiasing.unbiased_scale", linear.weight, linear)
    assert is_weight("bias.weight", linear.weight, linear)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 3)
        self.scale = nn.Parameter(torch.ones(3))
        self.head = nn.Linear(3, 5)
        self.head.weight = self.embedding.weight
        self.twice = nn.ModuleList([self.head, self.head])


def test_shared_parameters_stand_once_under_their_first_name() -> None:
    assert names(weights_only(Tied(), PENALISED)) == [["scale", "embedding.weight"], ["head.bias"]]


def test_frozen_parameters_are_left_out() -> None:
    model = mlp()
    for p in model[0].parameters():  # type: ignore[index]
        p.requires_grad = False
    assert names(weights_only(model, PENALISED)) == [["3.weight"], ["1.weight", "1.bias", "3.bias"]]


def test_group_without_parameters_is_left_out() -> None:
    assert names(weights_only(nn.Linear(2, 1, bias=False), PENALISED)) == [["weight"]]
    (only,) = weights_only(nn.LayerNorm(2), PENALISED)
    assert values(only) == OFF


def test_user_says_what_is_penalised() -> None:
    seen = []

    def first_layer(name: str, parameter: nn.Parameter, module: nn.Module) -> bool:
        seen.append((name, tuple(parameter.shape), type(module)))
        return name.startswith("0.")

    groups = weights_only(mlp(), PENALISED, first_layer)
    assert names(groups) == [["0.weight", "0.bias"], ["1.weight", "1.bias", "3.weight", "3.bias"]]
    assert seen[1:3] == [("0.bias", (4,), nn.Linear), ("1.weight", (4,), nn.BatchNorm1d)]
    (everything,) = weights_only(mlp(), PENALISED, every_parameter)
    assert len(everything["params"]) == 6
    assert values(everything) == {}


def test_penalties_of_every_level_are_off_and_nothing_else() -> None:
    @dataclass(frozen=True)
    class Pull(Wrapper):
        pull: float = 1.0

        name: ClassVar = "pull"
        penalty: ClassVar = "pull"

    rule = Maximize(Pull(Clip(DecoupledDecay(AdamW()), norm=1.0)))
    _, others = weights_only(mlp(), rule)
    assert values(others) == {"weight_decay": 0.0, "decoupled.weight_decay": 0.0, "pull.pull": 0.0}


def test_rule_without_penalty_has_one_group() -> None:
    for rule in (Adam(), Clip(SGD(), norm=1.0)):
        (everything,) = weights_only(mlp(), rule)
        assert [name for name, _ in everything["params"]] == [name for name, _ in mlp().named_parameters()]
        assert values(everything) == {}


def test_some_penalties_are_named() -> None:
    _, others = weights_only(mlp(), ["l1.strength"])
    assert values(others) == {"l1.strength": 0.0}
    assert len(weights_only(mlp(), [])) == 1


def trained(model: nn.Module, groups: Any, rule: Rule) -> list[torch.Tensor]:
    optimizer = Optimizer(groups, rule, executor="foreach")
    for step in range(3):
        optimizer.zero_grad()
        inputs = torch.sin(torch.arange(15.0) + step).reshape(5, 3)
        model(inputs).square().mean().backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize("wrapper", [L1, L2, DecoupledDecay])
def test_penalty_off_everywhere_is_the_rule_itself(wrapper: type[Wrapper]) -> None:
    first, second = mlp(), mlp()
    rule = wrapper(Adam(lr=0.1))
    groups = weights_only(first, rule, which=lambda name, p, module: False)
    bare = trained(second, second.parameters(), Adam(lr=0.1))
    assert all(torch.equal(a, b) for a, b in zip(trained(first, groups, rule), bare, strict=True))


def test_penalised_training_is_that_of_the_loss_with_a_term_on_weights() -> None:
    # The gradient of 0.2 / 2 * |w|^2, added by autograd, on the two weight matrices.
    first, second = mlp(), mlp()
    rule = L2(SGD(lr=0.1), 0.2)
    ours = trained(first, weights_only(first, rule), rule)
    optimizer = torch.optim.SGD(second.parameters(), lr=0.1)
    for step in range(3):
        optimizer.zero_grad()
        inputs = torch.sin(torch.arange(15.0) + step).reshape(5, 3)
        term = sum(p.square().sum() for name, p in second.named_parameters() if name in ("0.weight", "3.weight"))
        (second(inputs).square().mean() + 0.1 * term).backward()
        optimizer.step()
    assert all(torch.allclose(a, b, rtol=1e-12, atol=1e-15) for a, b in zip(ours, second.parameters(), strict=True))


def test_nothing_to_train_is_refused() -> None:
    with pytest.raises(InputError, match=r"ReLU has no parameter that requires a gradient: nothing can be trained"):
        weights_only(nn.ReLU(), PENALISED)


@pytest.mark.parametrize("model", [None, [torch.zeros(1)], nn.Linear])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(InputError, match=r"weights_only needs a model, a torch\.nn\.Module; got"):
        weights_only(model, PENALISED)


@pytest.mark.parametrize("rule", [SGD, "l1.strength", None])
def test_what_is_no_rule_is_refused(rule: Any) -> None:
    with pytest.raises(InputError, match="weights_only needs the optimizer's rule"):
        weights_only(mlp(), rule)

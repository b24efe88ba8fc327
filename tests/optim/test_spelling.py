"""Names that are not there, and what is said to them."""

import inspect
from dataclasses import dataclass
from typing import Any

import pytest
import torch

import fallline as fl
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import Rule


def weight() -> torch.Tensor:
    return torch.ones(2, requires_grad=True)


def said_to(make: Any) -> str:
    with pytest.raises(TypeError) as caught:
        make()
    return str(caught.value)


def test_optimizers_that_torch_alone_has_are_named() -> None:
    with pytest.raises(AttributeError, match=r"no LBFGS\. Use torch\.optim\.LBFGS itself; fallline\.compare takes"):
        _ = fl.optim.LBFGS
    with pytest.raises(AttributeError, match=r"Use torch\.optim\.lr_scheduler, which takes fallline's optimizers too"):
        _ = fl.optim.lr_scheduler
    assert not hasattr(fl.optim, "LBFGS")


@pytest.mark.parametrize(("name", "near"), [("RMSProp", "RMSprop"), ("Adan", "Adam"), ("optimiser", "Optimizer")])
def test_near_names_are_offered(name: str, near: str) -> None:
    with pytest.raises(AttributeError, match=f"'{name}' is no name in it. Did you mean '{near}'"):
        getattr(fl.optim, name)


def test_a_hyperparameter_given_to_optimizer_belongs_to_its_rule() -> None:
    takes: Any = Optimizer
    assert said_to(lambda: takes([weight()], fl.rules.Adam(), lr=0.1)).startswith(
        "Optimizer takes no lr, which is the rule's: Optimizer(params, Adam(lr=0.1))."
    )
    assert "Adam(beta1=..., beta2=...)" in said_to(lambda: takes([weight()], rule=fl.rules.Adam(), betas=(0.9, 0.99)))
    wrapped = fl.wrappers.Clip(fl.rules.SGD(), norm=1.0)
    assert "SGD(momentum=0.9)" in said_to(lambda: takes([weight()], wrapped, momentum=0.9))
    assert "Did you mean 'executor'?" in said_to(lambda: takes([weight()], wrapped, executer="foreach"))
    assert str(inspect.signature(Optimizer)).startswith("(params: Any, rule: fallline.rules.rule.Rule, *, executor:")


def test_a_face_is_told_torchs_spelling() -> None:
    assert "beta1 is given in betas=(beta1, beta2), as in torch" in said_to(
        lambda: fl.optim.Adam([weight()], beta1=0.9)
    )
    assert "eta_plus is given in etas=(eta_minus, eta_plus)" in said_to(
        lambda: fl.optim.Rprop([weight()], eta_plus=1.2)
    )


def test_a_rule_is_told_its_own() -> None:
    rules: Any = fl.rules
    assert "A rule takes beta1 and beta2." in said_to(lambda: rules.Adam(betas=(0.9, 0.99)))
    assert "Did you mean 'lr'?" in said_to(lambda: rules.Adam(learning_rate=0.1))
    assert "fallline.wrappers.L2(Adam(...), weight_decay=...)" in said_to(lambda: rules.Adam(weight_decay=0.1))
    assert "fallline.wrappers.Maximize(SGD(...))" in said_to(lambda: rules.SGD(maximize=True))
    wrappers: Any = fl.wrappers
    assert "Did you mean 'global_norm'?" in said_to(lambda: wrappers.Clip(rules.SGD(), max_norm=1.0))
    assert rules.AdamW(weight_decay=0.1).weight_decay == 0.1


def test_what_python_says_itself_stays() -> None:
    wrappers: Any = fl.wrappers
    assert "missing 1 required positional argument: 'rule'" in said_to(lambda: wrappers.Clip(norm=1.0))
    assert "missing a required argument: 'params'" in said_to(lambda: fl.optim.Adam(lr=0.1))
    assert "missing 1 required positional argument: 'rule'" in said_to(lambda: Optimizer([weight()]))  # type: ignore


def test_a_rule_with_a_constructor_of_its_own_takes_what_that_takes() -> None:
    @dataclass(frozen=True)
    class Free(Rule):
        lr: float = 0.1

        def __init__(self, **values: float) -> None:
            object.__setattr__(self, "lr", sum(values.values()))

    assert Free(one=1.0, two=2.0).lr == 3.0


def test_fields_that_are_none_for_want_of_a_decorator_are_named() -> None:
    class Bare(Rule):
        lr: float = 0.1

    made: Any = Bare
    with pytest.raises(InputError, match=r"Decorate the class with @dataclass\(frozen=True\)"):
        made(lr=0.1)

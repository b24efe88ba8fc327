"""What every rule does with its fields."""

import math
from dataclasses import FrozenInstanceError, dataclass
from typing import Any, Literal

import numpy as np
import pytest
import torch

from fallline.errors import InputError
from fallline.rules import SGD, Adam, Momentum, RMSprop, Rule
from fallline.rules.rule import unknown


@pytest.mark.parametrize("lr", [-0.1, math.inf, -math.inf, math.nan, True, "0.1", None, [0.1]])
def test_bad_learning_rate_is_refused_with_its_value(lr: Any) -> None:
    with pytest.raises(InputError, match=r"Adam: lr must be a finite number of at least 0; got ") as caught:
        Adam(lr=lr)
    assert repr(lr) in str(caught.value)


@pytest.mark.parametrize("beta", [1.0, -0.1, 1.5])
def test_decay_outside_its_range_is_refused(beta: float) -> None:
    with pytest.raises(InputError, match=r"beta1 must be in \[0, 1\)"):
        Adam(beta1=beta)


@pytest.mark.parametrize("number", [1, np.float32(0.25), np.int64(2), np.float64(0.5)])
def test_any_real_number_is_kept_as_a_float(number: Any) -> None:
    lr = Adam(lr=number).lr
    assert type(lr) is float
    assert lr == float(number)


def test_zero_learning_rate_is_legal() -> None:
    assert SGD(lr=0).lr == 0.0


@pytest.mark.parametrize("flag", [1, 0.0, "yes", None])
def test_switch_takes_only_true_or_false(flag: Any) -> None:
    with pytest.raises(InputError, match="amsgrad must be true or false"):
        Adam(amsgrad=flag)


def test_optional_float_may_be_absent_and_a_plain_one_may_not() -> None:
    assert RMSprop(momentum=None).momentum is None
    assert RMSprop(momentum=0.5).momentum == 0.5
    with pytest.raises(InputError, match="momentum must be"):
        Momentum(momentum=None)


@dataclass(frozen=True)
class Shaped(Rule):
    lr: float = 0.1
    kind: Literal["one", "two"] = "one"
    every: int = 10


def test_choice_is_one_of_those_declared() -> None:
    assert Shaped(kind="two").kind == "two"
    with pytest.raises(InputError, match="kind must be one of 'one', 'two'; got 'three'"):
        Shaped(kind="three")


def test_whole_number_is_checked_by_type() -> None:
    with pytest.raises(InputError, match=r"every must be a whole number; got 2\.5"):
        Shaped(every=2.5)


def test_rule_is_frozen_and_hashable() -> None:
    rule = Adam(lr=0.1)
    with pytest.raises(FrozenInstanceError):
        rule.lr = 0.2
    assert hash(rule) == hash(Adam(lr=0.1))
    assert rule != Adam(lr=0.2)


def test_class_without_dataclass_says_what_to_do() -> None:
    class Bare(Rule):
        lr: float = 0.1

    with pytest.raises(InputError, match=r"Bare: lr is annotated but is no field.*@dataclass\(frozen=True\)"):
        Bare()


def test_replace_names_the_nearest_known_field() -> None:
    with pytest.raises(InputError, match=r"'beta_1' is no hyperparameter of Adam\. Did you mean 'beta1'\?"):
        Adam().replace({"beta_1": 0.5})


def test_replace_checks_ranges_and_bind_does_not() -> None:
    with pytest.raises(InputError, match="lr must be"):
        Adam().replace({"lr": -1.0})
    assert Adam().bind({"lr": -1.0}).lr == -1.0
    assert Adam(lr=0.5).replace({"eps": 1}).hyperparameters() == {
        "lr": 0.5,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1.0,
        "amsgrad": False,
    }


def test_bind_leaves_the_rule_itself_alone() -> None:
    rule = Adam()
    bound = rule.bind({"lr": torch.tensor(0.5)})
    assert isinstance(bound.lr, torch.Tensor)
    assert rule.lr == 1e-3


def test_floats_do_not_change_the_program_and_all_else_does() -> None:
    assert SGD(lr=0.1).program() == SGD(lr=0.2, dampening=0.5).program()
    assert SGD(momentum=0.1).program() == SGD(momentum=0.9).program()
    assert SGD(momentum=None).program() != SGD(momentum=0.0).program()
    assert SGD(momentum=0.9, nesterov=True).program() != SGD(momentum=0.9).program()
    assert SGD(momentum=0.9).program() != Momentum(momentum=0.9).program()


def test_floats_are_those_that_are_present() -> None:
    assert SGD(lr=0.1).floats() == {"lr": 0.1, "dampening": 0.0}
    assert SGD(lr=0.1, momentum=0.5).floats() == {"lr": 0.1, "momentum": 0.5, "dampening": 0.0}


def test_step_of_a_rule_without_formula_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Shaped has no step"):
        Shaped().step(torch.zeros(1), torch.zeros(1), {}, None)


def test_unknown_name_without_a_near_one_lists_the_known() -> None:
    assert unknown("zzz", ["lr", "eps"], "field") == "'zzz' is no field. Known: lr, eps."
    assert unknown("zzz", [], "field") == "'zzz' is no field. Known: none."


def test_nesterov_needs_a_momentum():
    for make in (lambda: SGD(nesterov=True), lambda: SGD().replace({"nesterov": True})):
        with pytest.raises(InputError, match="nesterov needs a momentum"):
            make()
    assert SGD(momentum=0.9, nesterov=True).nesterov

"""The faces: signatures, torch's spelling of decay and ascent, keywords of the implementation."""

import inspect
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from fallline import optim
from fallline.optim import Optimizer, face
from fallline.optim.automatic import chosen
from fallline.rules import SGD, AdamW, Lion, Momentum, Now, Rule, State
from fallline.wrappers import L2, DecoupledDecay, Maximize


@dataclass(frozen=True)
class Signs(Rule):
    """Goes by the gradient's sign.

    >>> Signs().lr
    0.01
    """

    lr: float = 0.01
    fade: float | None = None

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        return self.lr * torch.sign(g), state


def weight() -> torch.Tensor:
    return torch.tensor([1.0, -2.0], requires_grad=True)


def stepped(optimizer: Any) -> list[float]:
    p = optimizer.param_groups[0]["params"][0]
    for scale in (1.0, 2.0):
        p.grad = torch.tensor([0.5, -0.25]) * scale
        optimizer.step()
    found: list[float] = p.tolist()
    return found


def test_rule_without_namesake_takes_its_fields_decay_and_ascent() -> None:
    assert str(inspect.signature(face(Signs))) == (
        "(params, lr=0.01, fade=0.0, weight_decay=0.0, maximize=False, "
        "*, executor='auto', seed=0, differentiable=False)"
    )
    assert str(inspect.signature(optim.Momentum)).startswith(
        "(params, lr=0.001, momentum=0.9, dampening=0.0, nesterov=False, weight_decay=0.0"
    )


def test_face_is_named_and_documented_as_its_rule() -> None:
    made = face(Signs)
    assert made.__name__ == "Signs"
    assert made.__doc__ == "Goes by the gradient's sign."
    assert issubclass(made, torch.optim.Optimizer)
    assert repr(made([weight()])).startswith("Signs (")


def test_fields_that_torch_lacks_are_keywords() -> None:
    with pytest.raises(TypeError, match="Adagrad: too many positional arguments"):
        optim.Adagrad([weight()], 0.1, 0.0, 0.0, 0.0, 1e-10, None, True)
    assert optim.Adagrad([weight()], eps_inside_root=True).param_groups[0]["eps_inside_root"] is True


def test_unknown_keyword_names_the_face_and_what_it_takes() -> None:
    with pytest.raises(TypeError, match=r"Adam: 'learning_rate' is no .* Did you mean 'lr'\? It takes \(params, lr="):
        optim.Adam([weight()], learning_rate=0.1)


@pytest.mark.parametrize(
    ("keywords", "rule"),
    [
        ({"weight_decay": 0.1}, L2(SGD(lr=0.1), 0.1)),
        ({"maximize": True}, Maximize(SGD(lr=0.1))),
        ({"weight_decay": 0.1, "maximize": True}, Maximize(L2(SGD(lr=0.1), 0.1))),
        ({"momentum": 0.9, "nesterov": True}, SGD(lr=0.1, momentum=0.9, nesterov=True)),
        ({"momentum": 0}, SGD(lr=0.1)),
    ],
)
def test_torchs_keywords_are_wrappers(keywords: dict[str, Any], rule: Rule) -> None:
    assert stepped(optim.SGD([weight()], lr=0.1, **keywords)) == stepped(Optimizer([weight()], rule))
    assert stepped(optim.SGD([weight()], lr=0.1, **keywords)) == pytest.approx(
        stepped(torch.optim.SGD([weight()], lr=0.1, **keywords)), rel=1e-14
    )


def test_decay_of_adam_is_coupled_unless_asked() -> None:
    coupled = stepped(optim.Adam([weight()], lr=0.1, weight_decay=0.5))
    decoupled = stepped(optim.Adam([weight()], lr=0.1, weight_decay=0.5, decoupled_weight_decay=True))
    assert decoupled == pytest.approx(stepped(Optimizer([weight()], AdamW(lr=0.1, weight_decay=0.5))), rel=1e-14)
    assert coupled != pytest.approx(decoupled, rel=1e-3)


def test_a_rules_own_decay_is_not_wrapped() -> None:
    assert stepped(optim.AdamW([weight()], lr=0.1)) == stepped(Optimizer([weight()], AdamW(lr=0.1)))
    wrapped = DecoupledDecay(SGD(lr=0.1), 0.5)
    assert stepped(Optimizer([weight()], wrapped)) != stepped(Optimizer([weight()], SGD(lr=0.1)))


def test_scheduled_decay_is_followed() -> None:
    p = weight()
    optimizer = optim.SGD([p], lr=0.1, weight_decay=0.0)
    optimizer.param_groups[0]["weight_decay"] = 0.5
    p.grad = torch.zeros(2)
    optimizer.step()
    assert p.tolist() == [0.95, -1.9]


@pytest.mark.parametrize("hint", [{"foreach": True}, {"foreach": False}, {"fused": True}])
def test_torchs_hints_choose_torchs_own_way(hint: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(torch.optim.Adam, "step", lambda self, closure=None: asked.append(self.param_groups[0]))
    stepped(optim.Adam([weight()], **hint))
    assert asked[0].items() >= hint.items()


def test_a_rule_that_torch_lacks_takes_the_hint_as_an_executor() -> None:
    groups = [{"params": [weight()], "foreach": False}]
    assert chosen(Lion(), Lion(), groups) == "reference"
    assert chosen(Lion(), Lion(), [{"params": [weight()]}]) == "foreach"


def test_state_of_a_rule_without_count_holds_none() -> None:
    optimizer = optim.SGD([weight()], lr=0.1, momentum=0.9, executor="foreach")
    stepped(optimizer)
    assert list(optimizer.state_dict()["state"][0]) == ["momentum_buffer"]
    plain = optim.SGD([weight()], lr=0.1)
    stepped(plain)
    assert plain.state_dict()["state"] == {}
    # What is packed away is not taken from the optimizer that goes on.
    assert all(state["step"].item() == 2 for state in optimizer.state.values())


def test_every_rule_has_a_face() -> None:
    assert {"SGD", "Momentum", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta"} <= set(optim.__all__)
    assert isinstance(optim.Momentum([weight()]).rule, Momentum)

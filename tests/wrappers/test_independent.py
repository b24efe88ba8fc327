"""Weight decay that the learning rate does not scale, and that a schedule does if asked."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from fallline.errors import InputError
from fallline.optim import Optimizer, weights_only
from fallline.rules import SGD, Now, Rule, State
from fallline.wrappers import IndependentDecay
from tests.wrappers.stepping import EXECUTORS, Step


@EXECUTORS
@pytest.mark.parametrize(
    ("lr", "max_lr", "expected"),
    [
        # 2 - lr * 1 - 0.25 * 2
        (0.1, None, 1.4),
        (0.5, None, 1.0),
        (0.0, None, 1.5),
        # A quarter of the rate, a quarter of the decay: 2 - 0.1 - 0.25 * 0.25 * 2
        (0.1, 0.4, 1.775),
        (0.0, 0.4, 2.0),
    ],
)
def test_step_by_hand(step: Step, lr: float, max_lr: float | None, expected: float) -> None:
    rule = IndependentDecay(SGD(lr=lr), weight_decay=0.25, max_lr=max_lr)
    moved = step(rule, [torch.tensor([2.0]), torch.tensor(2.0)], [torch.ones(1), torch.tensor(1.0)])
    assert [x.item() for x in moved] == pytest.approx([expected, expected], rel=1e-14)


def test_a_scheduler_scales_it_by_its_own_multiplier() -> None:
    seen = []
    for max_lr in (None, 0.1):
        p = torch.tensor([1.0], requires_grad=True)
        optimizer = Optimizer([p], IndependentDecay(SGD(lr=0.1), 0.5, max_lr))
        scheduler = LambdaLR(optimizer, lambda step: 1 / (step + 1))
        for _ in range(2):
            p.grad = torch.zeros(1)
            optimizer.step()
            scheduler.step()
        seen.append(p.item())
    # Halved at the second step: 0.5 * 0.5, and 0.5 * 0.75.
    assert seen == pytest.approx([0.25, 0.375], rel=1e-14)


def test_it_acts_on_weights_alone_where_asked() -> None:
    model = torch.nn.Linear(1, 1)
    rule = IndependentDecay(SGD(), 0.5)
    assert [group.get("independent.weight_decay") for group in weights_only(model, rule)] == [None, 0.0]


def test_max_lr_needs_a_learning_rate() -> None:
    @dataclass(frozen=True)
    class Rateless(Rule):
        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            return g, state

    assert IndependentDecay(Rateless()).weight_decay == 1e-4
    with pytest.raises(InputError, match="max_lr needs a rule with lr, which Rateless lacks"):
        IndependentDecay(Rateless(), max_lr=0.1)


@pytest.mark.parametrize("values", [{"weight_decay": -1.0}, {"weight_decay": None}, {"max_lr": 0.0}])
def test_bad_value_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="IndependentDecay: .* must be a finite number"):
        IndependentDecay(SGD(), **values)

"""The rules that see more than single numbers, held to NumPy loops of their own over many steps and shapes."""

from typing import Any

import numpy as np
import pytest
import torch

from fallline.optim import Optimizer
from fallline.randomness import numpy_stream
from fallline.rules import Rule
from tests.conformance.loops import LOOPS, Loop

STEPS = 25
SHAPES: list[tuple[int, ...]] = [(), (5,), (4, 3), (3, 5), (4, 4), (2, 3, 2), (2, 3, 2, 2)]
CASES = [
    pytest.param(rule, loop, values, id=f"{name}-{i}")
    for name, cases in LOOPS.items()
    for i, (rule, loop, values) in enumerate(cases)
]


def drawn(purpose: str, i: int, step: int, shape: tuple[int, ...]) -> Any:
    return np.asarray(numpy_stream(2, f"loops/{purpose}", i, step).standard_normal(shape))


@pytest.mark.parametrize("executor", ["reference", "foreach"])
@pytest.mark.parametrize(("rule", "loop", "values"), CASES)
def test_many_steps_equal_the_loop(rule: Rule, loop: Loop, values: dict[str, Any], executor: str) -> None:
    shapes = [shape for shape in SHAPES if len(shape) in rule.ranks]
    start = [drawn("start", i, 0, shape) for i, shape in enumerate(shapes)]
    noise = [[drawn("noise", i, step, shape) for i, shape in enumerate(shapes)] for step in range(STEPS)]
    right, evaluated = loop(start, noise, **values)

    parameters = [torch.tensor(p, requires_grad=True) for p in start]
    optimizer = Optimizer(parameters, rule, executor=executor)
    for step in noise:
        for p, e in zip(parameters, step, strict=True):
            p.grad = p.detach() + torch.tensor(e)
        optimizer.step()

    for p, x, at in zip(parameters, right, evaluated, strict=True):
        point = rule.eval_point(p.detach(), optimizer.state[p])
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(point.numpy(), at, rtol=1e-9, atol=1e-11)
    assert max(abs(x - p).max() for x, p in zip(right, start, strict=True)) > 0.1

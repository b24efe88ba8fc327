"""A step's numbers computed apart from what it does to tensors."""

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from fallline.cohorts.numbers import set_apart

X, BETA, T = torch.ones(3, 4), torch.tensor([0.9, 0.5, 0.1]), torch.tensor(2.0)
EXPECTED = 1 / (1 - BETA**2)


def step(x: Tensor, beta: Tensor, t: Tensor) -> Tensor:
    return x.mul_((1 / (1 - beta**t)).unsqueeze(1))


def test_powers_are_computed_once_and_what_is_in_place_stays_so() -> None:
    parts = set_apart(make_fx(step, tracing_mode="fake")(X, BETA, T), [1, 2])
    targets = [{node.target for node in part.graph.nodes} for part in parts.children()]
    assert torch.ops.aten.pow.Tensor_Tensor in targets[0]
    assert torch.ops.aten.pow.Tensor_Tensor not in targets[1]
    assert torch.ops.aten.mul_.Tensor in targets[1]
    given = X.clone()
    parts(given, BETA, T)
    torch.testing.assert_close(given, EXPECTED.unsqueeze(1).expand(3, 4))


def test_a_view_of_a_number_is_no_result_of_its_part() -> None:
    parts = set_apart(make_fx(step, tracing_mode="fake")(X, BETA, T), [1, 2])
    assert parts.submod_0(BETA, T).shape == BETA.shape


def test_a_step_without_numbers_is_one_part() -> None:
    parts = set_apart(make_fx(step, tracing_mode="fake")(X, BETA, T), [2])
    assert len(list(parts.children())) == 1

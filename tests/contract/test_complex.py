"""Complex parameters: stepped as pairs of real numbers, as by torch; rules that see whole tensors refuse them."""

import copy
from typing import Any

import pytest
import torch

from fallline import optim
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, Rule
from fallline.wrappers import Clip
from tests.conformance.variants import NAMESAKES, torch_settings
from tests.contract.trained import ON_ELEMENTS, RULES, parameters, train

SHAPES: list[tuple[int, ...]] = [(3, 2), (), (0, 2)]
SETTINGS = [case for case in torch_settings() if case.values[0][0]().acts_on == "element"]


@pytest.mark.parametrize("executor", ["auto", "reference", "foreach"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_complex_parameters_equal_torch(setting: tuple[type[Rule], dict[str, Any]], executor: str) -> None:
    rule, keywords = setting
    mine, right = parameters(torch.complex128, SHAPES), parameters(torch.complex128, SHAPES)
    torchs: Any = getattr(torch.optim, NAMESAKES[rule.__name__].namesake or "")
    if torchs is torch.optim.SparseAdam:
        with pytest.raises(ValueError, match="complex"):
            torchs(right, **keywords)
        return
    ours, theirs = getattr(optim, rule.__name__)(mine, **keywords, executor=executor), torchs(right, **keywords)
    train(ours, mine, range(6))
    train(theirs, right, range(6))
    for p, q in zip(mine, right, strict=True):
        assert torch.allclose(p, q, rtol=1e-11, atol=1e-13)
    saved = theirs.state_dict()
    for index, entries in ours.state_dict()["state"].items():
        for name, value in entries.items():
            if name != "step":
                assert value.dtype == saved["state"][index][name].dtype
                assert torch.allclose(value, saved["state"][index][name], rtol=1e-11, atol=1e-13)
    ours.load_state_dict(copy.deepcopy(saved))
    theirs.load_state_dict(ours.state_dict())


@ON_ELEMENTS
def test_complex_parameters_are_two_real_ones(rule: Rule) -> None:
    (p,) = parameters(torch.complex128, [(3, 2)])
    q = torch.view_as_real(p.detach()).clone().requires_grad_()
    ours, real = Optimizer([p], rule), Optimizer([q], rule)
    for step in range(4):
        train(ours, [p], range(step, step + 1))
        assert p.grad is not None
        q.grad = torch.view_as_real(p.grad)
        real.step()
    assert torch.equal(torch.view_as_real(p.detach()), q)


@RULES
def test_rules_of_whole_tensors_refuse_complex_parameters_at_construction(rule: Rule) -> None:
    (p,) = parameters(torch.complex64, [(3, 2)])
    if rule.acts_on == "element":
        Optimizer([("weight", p)], rule)
        return
    with pytest.raises(InputError, match=r"^parameter 'weight' is complex \(torch.complex64\)"):
        Optimizer([("weight", p)], rule)


def test_a_refused_group_is_not_added() -> None:
    optimizer = Optimizer(parameters(), Clip(SGD(), norm=1.0))
    with pytest.raises(InputError, match=r"parameter 0 of group 1 is complex .* Clip acts on whole tensors.*view_as"):
        optimizer.add_param_group({"params": parameters(torch.complex128)})
    assert len(optimizer.param_groups) == 1


def test_conjugated_gradient_is_read_as_its_values() -> None:
    p, q = parameters(torch.complex128, [(3,), (3,)])
    with torch.no_grad():
        q.copy_(p)
    gradient = torch.tensor([1 + 2j, 3j, -1 + 0j])
    p.grad, q.grad = gradient.conj(), gradient.conj().resolve_conj()
    optim.SGD([p, q], lr=0.1).step()
    assert torch.equal(p, q)
    assert p.grad.is_conj()

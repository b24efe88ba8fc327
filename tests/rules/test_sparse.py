"""Which rules may be stepped by rows: those by whose own formula a row without gradient stays as it is."""

import pytest
import torch

from fallline.executors import Part, initial_state, reference
from fallline.proof.trials import surroundings, variants
from fallline.rules import SGD, Adam, Momentum, Rule, SparseAdam
from fallline.wrappers import L1, L2, Clip, DecoupledDecay, Maximize, Noise
from tests.conformance.variants import EXPORTED

FORMS = [form for rule in EXPORTED.values() for form in variants(rule())]


@pytest.mark.parametrize("rule", [form for form in FORMS if form.sparse], ids=repr)
def test_by_rows_the_others_stay(rule: Rule) -> None:
    p, g = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[0.3, -0.7], [0.0, 0.0]])
    part = Part(rule, [p], [g], [initial_state(rule, p)], [rule.floats()], [1], [0])
    update = reference([part], surroundings(1))[0]
    assert update.decrement[0][1].tolist() == [0.0, 0.0]
    for name, value in update.state[0].items():
        assert torch.equal(value[1], part.state[0][name][1])
    assert update.decrement[0][0].abs().min() > 0


def test_momentum_is_what_forbids_rows() -> None:
    assert SGD().sparse
    assert not SGD(momentum=0.0).sparse
    assert not SGD().bind({"momentum": 0.9}).sparse
    assert not Momentum().sparse
    assert not Adam().sparse


@pytest.mark.parametrize("wrapper", [Maximize, lambda rule: Clip(rule, norm=1.0)])
def test_what_acts_on_the_gradient_alone_allows_what_the_rule_allows(wrapper: type[Maximize]) -> None:
    assert wrapper(SparseAdam()).sparse
    assert not wrapper(Adam()).sparse


@pytest.mark.parametrize("wrapper", [L1, L2, DecoupledDecay, Noise])
def test_what_moves_every_weight_forbids_rows(wrapper: type[L2]) -> None:
    assert not wrapper(SGD()).sparse

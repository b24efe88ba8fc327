"""Different rules for different parameters: in every executor, and as parameter groups."""

from typing import Any

import pytest
import torch
from torch import nn

from fallline.errors import InputError
from fallline.executors import Part, foreach, initial_state, reference
from fallline.proof.check import check
from fallline.proof.members import members_apart
from fallline.proof.trials import alone, furthest, moments, surroundings
from fallline.rules import SGD, Adam, AdamW, Momentum, Muon, Rule
from fallline.wrappers import L2, Centralise, Clip, Lookahead, Route
from fallline.wrappers.route import branch_of, branches, key_in_whole

ROUTED = Route(Muon(lr=0.02, bfloat16=False), others=AdamW(lr=3e-4))
FORMS = pytest.mark.parametrize(
    "rule",
    [
        ROUTED,
        Route(Momentum(), others=Route(Adam(), others=SGD())),
        Clip(ROUTED, global_norm=0.5),
        Route(Clip(Momentum(), norm=1.0), others=L2(Adam())),
        Lookahead(ROUTED, k=2),
    ],
    ids=["two", "three", "around", "inside", "state"],
)


@FORMS
def test_every_executor_equals_each_parameter_alone(rule: Rule) -> None:
    for part in moments(rule):
        right = alone(part.copy(), surroundings(part.t[0]))
        for executor in (reference, foreach):
            apart, where = furthest(executor([part.copy()], surroundings(part.t[0]))[0], right)
            assert apart <= 1e-12, where
    members_apart(rule, list(rule.floats()), torch.float64)


def test_a_routed_rule_passes_check() -> None:
    assert [finding for finding in check(ROUTED).findings if not finding.passed] == []


def test_matrices_and_kernels_go_to_the_rule_and_the_rest_to_the_others() -> None:
    shapes: list[tuple[int, ...]] = [(), (3,), (2, 3), (2, 3, 2, 2)]
    for shape in shapes:
        p = g = torch.ones(shape) + torch.arange(float(torch.tensor(shape).prod() if shape else 1)).reshape(shape)
        rule = ROUTED.rule if len(shape) > 1 else ROUTED.others
        one, other = (
            reference([Part(r, [p], [g], [initial_state(r, p)], [r.floats()], [1], [0])], surroundings(1))[0]
            for r in (ROUTED, rule)
        )
        assert torch.equal(one.decrement[0], other.decrement[0])
        assert one.state[0].keys() == other.state[0].keys()


def test_hyperparameters_of_the_others_are_named_so() -> None:
    rule = Clip(Route(Muon(), others=L2(AdamW())), norm=1.0)
    values = rule.replace({"lr": 0.5, "others.lr": 0.25, "others.l2.weight_decay": 0.125}).hyperparameters()
    assert (values["lr"], values["others.lr"], values["others.l2.weight_decay"]) == (0.5, 0.25, 0.125)
    assert rule.penalties() == ("weight_decay", "others.weight_decay", "others.l2.weight_decay")
    with pytest.raises(InputError, match=r"others\.lr must be a finite number of at least 0; got -1"):
        rule.replace({"others.lr": -1.0})
    with pytest.raises(InputError, match=r"did you mean|Did you mean"):
        rule.replace({"others.lrr": 1.0})


def test_branches_hold_the_wrappers_around_and_know_their_keys() -> None:
    rule = Clip(Route(Momentum(), others=Route(Adam(), others=L2(SGD()))), norm=2.0)
    found = branches(rule)
    assert found == {
        "rule": Clip(Momentum(), norm=2.0),
        "others.rule": Clip(Adam(), norm=2.0),
        "others.others": Clip(L2(SGD()), norm=2.0),
    }
    assert key_in_whole(rule, "rule", "lr") == "lr"
    assert key_in_whole(rule, "others.rule", "beta1") == "others.beta1"
    assert key_in_whole(rule, "others.others", "l2.weight_decay") == "others.others.l2.weight_decay"
    assert key_in_whole(rule, "others.others", "clip.norm") == "clip.norm"
    assert branch_of(rule, None, torch.zeros(2, 2)) == "rule"
    assert branches(Adam()) == {"": Adam()}


def test_programs_differ_with_either_rule_and_equal_floats_do_not_matter() -> None:
    assert ROUTED.program() == ROUTED.replace({"lr": 1.0, "others.lr": 1.0}).program()
    assert ROUTED.program() != ROUTED.replace({"others.amsgrad": True}).program()
    assert ROUTED.program() != ROUTED.replace({"nesterov": False}).program()


def test_what_cannot_be_routed_is_refused() -> None:
    with pytest.raises(InputError, match="give others a Route"):
        Route(Route(Adam(), others=SGD()), others=SGD())
    with pytest.raises(InputError, match="Centralise cannot stand around"):
        Centralise(Route(Muon(), others=SGD()))
    with pytest.raises(InputError, match="others must be of type Rule"):
        Route(Muon(), others=AdamW)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="named parameters"):
        Route(Muon(), others=SGD(), which=lambda name, p: True).init(torch.zeros(2, 2))


def stacked_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def no_tables(name: str, p: Any) -> bool:
    return p.dim() > 1 and name not in ("0.weight", "3.weight")


def test_which_chooses_by_name() -> None:
    rule = Route(Muon(), others=AdamW(), which=no_tables)
    chosen = [branch_of(rule, name, p) for name, p in stacked_model().named_parameters()]
    assert chosen == ["others", "rule", "others", "others", "others"]
    broken = Route(Muon(), others=AdamW(), which=lambda name: True)  # type: ignore
    with pytest.raises(InputError, match=r"must take \(name, parameter\).*at '0\.weight' it failed"):
        branch_of(broken, "0.weight", torch.zeros(2, 2))

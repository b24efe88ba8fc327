"""The proof finds each kind of fault, names it in one line, and passes what is right."""

import json
import math
import random
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from fallline.errors import InputError
from fallline.proof.against import match
from fallline.proof.check import Report, check
from fallline.proof.findings import relative_difference
from fallline.rules import SGD, Adam, Now, Rule, State
from fallline.rules.maths import debias, ema, sqrt, where, zeros_like
from fallline.wrappers import L2, DecoupledDecay, Maximize

RUN = "init and step run"
PURE = "law 1: step is pure"
RETURNS = "law 2: step returns decrement and state"
FLOATS = "law 3: floats may differ"
AS_FOR_ONE = "law 4: written as for one tensor"
EXECUTORS = "every executor equals the reference"
Step = tuple[Any, State]


@dataclass(frozen=True)
class Faulty(Rule):
    """What the faulty rules share: a learning rate and a state of one entry."""

    lr: float = 0.1

    def init(self, p: Any) -> State:
        return {"m": zeros_like(p)}


@dataclass(frozen=True)
class ChangesWeight(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        p.sub_(self.lr * g)
        return self.lr * g, state


@dataclass(frozen=True)
class ChangesGradient(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return g.mul_(self.lr), state


@dataclass(frozen=True)
class ChangesState(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * state["m"].add_(g), state


@dataclass(frozen=True)
class ChangesWeightInInit(Faulty):
    def init(self, p: Any) -> State:
        return {"m": p.mul_(0.5)}

    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * g, state


@dataclass(frozen=True)
class DrawsFromTorch(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * (g + torch.randn_like(g)), state


@dataclass(frozen=True)
class DrawsFromPython(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * g * random.random(), state


@dataclass(frozen=True)
class DrawsFromNumpy(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * g * np.random.rand(), state


@dataclass(frozen=True)
class Remembers(Faulty):
    calls: ClassVar[list[int]] = []

    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        self.calls.append(1)
        return self.lr * g / len(self.calls), state


@dataclass(frozen=True)
class Sums(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return (self.lr * g).sum(), state


@dataclass(frozen=True)
class ReturnsDecrementOnly(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Any:
        return self.lr * g


@dataclass(frozen=True)
class RenamesState(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * g, {"v": state["m"]}


@dataclass(frozen=True)
class ReshapesState(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * g, {"m": state["m"].sum()}


@dataclass(frozen=True)
class DividesByZero(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * g / state["m"], state


@dataclass(frozen=True)
class AsksIfFloat(Faulty):
    decay: float = 0.0

    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        if self.decay > 0:
            g = g + self.decay * p
        return self.lr * g, state


@dataclass(frozen=True)
class ConvertsFloat(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return math.sqrt(self.lr) * g, state


@dataclass(frozen=True)
class AsksWhichType(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return (self.lr if isinstance(self.lr, float) else 0.5) * g, state


@dataclass(frozen=True)
class AsksIfFirst(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return (self.lr if now.t == 1 else 2 * self.lr) * g, state


@dataclass(frozen=True)
class AsksIfLong(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * (g / g.norm() if g.norm() > 1 else g), state


@dataclass(frozen=True)
class LooksAtTheList(Faulty):
    """Works as for one tensor until it is handed several."""

    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.lr * (g + (g * 0 + 1 if hasattr(g, "items") else 0)), state


@dataclass(frozen=True)
class Misspells(Faulty):
    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        return self.rate * g, state


@dataclass(frozen=True)
class NoDefaults(Rule):
    lr: float


class NoDataclass(Rule):
    lr: float = 0.1


def failed(report: Report) -> dict[str, str]:
    return {finding.what: finding.detail for finding in report.findings if not finding.passed}


@pytest.mark.parametrize(
    ("rule", "law", "words"),
    [
        (ChangesWeight, PURE, "step changes p in place"),
        (ChangesGradient, PURE, "step changes g in place"),
        (ChangesState, PURE, "step changes state 'm' in place"),
        (ChangesWeightInInit, PURE, "init changes p in place"),
        (DrawsFromTorch, PURE, "now.noise(p)"),
        (DrawsFromPython, PURE, "now.noise(p)"),
        (DrawsFromNumpy, PURE, "now.noise(p)"),
        (Remembers, PURE, "two calls with the same inputs differ"),
        (Sums, RETURNS, "must have p's shape; got () for a parameter of shape (5,)"),
        (ReturnsDecrementOnly, RETURNS, "must return (decrement, state); got Tensor"),
        (RenamesState, RETURNS, "must have init's names ['m']; got ['v']"),
        (ReshapesState, RETURNS, "state 'm' must keep its shape (5,); got ()"),
        (DividesByZero, RETURNS, "not finite"),
        (AsksIfFloat, FLOATS, ": decay: "),
        (ConvertsFloat, FLOATS, ": lr: TypeError"),
        (AsksWhichType, FLOATS, ": lr: "),
        (AsksIfFirst, AS_FOR_ONE, "maths.where"),
        (AsksIfLong, AS_FOR_ONE, "may not branch"),
        (LooksAtTheList, AS_FOR_ONE, "a list of tensors differs by"),
        (Misspells, RUN, "AttributeError: 'Misspells' object has no attribute 'rate'"),
        (NoDefaults, RUN, "missing 1 required positional argument: 'lr'"),
        (NoDataclass, RUN, "Decorate the class with @dataclass(frozen=True)"),
    ],
)
def test_fault_is_found_and_named_in_one_line(rule: type[Rule], law: str, words: str) -> None:
    report = check(rule)
    assert not report.passed
    detail = failed(report)[law]
    assert words in detail
    assert "\n" not in detail


def test_float_that_is_sound_is_not_blamed_for_a_branch_on_the_gradient() -> None:
    assert "lr:" not in failed(check(AsksIfLong))[FLOATS].partition("):")[2]


@pytest.mark.parametrize("rule", [ReturnsDecrementOnly, ChangesWeight, Misspells])
def test_nothing_is_built_on_a_rule_that_breaks_the_first_laws(rule: type[Rule]) -> None:
    report = check(rule, against=torch.optim.SGD)
    assert len(failed(report)) == 1
    assert not report.findings[-1].passed or report.findings[-2].what == PURE
    assert report.step_microseconds == {}


@pytest.mark.parametrize("rule", [DrawsFromTorch, DrawsFromPython, DrawsFromNumpy])
def test_global_generators_are_put_back(rule: type[Rule]) -> None:
    before = torch.get_rng_state(), random.getstate(), repr(np.random.get_state())
    check(rule)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), repr(np.random.get_state())) == before[1:]


@dataclass(frozen=True)
class HandWritten(Rule):
    """Adam as a user might write it, without any declaration for torch."""

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    def init(self, p: Any) -> State:
        return {"first": zeros_like(p), "second": zeros_like(p)}

    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        m = ema(state["first"], g, self.beta1)
        v = ema(state["second"], g * g, self.beta2)
        direction = debias(m, self.beta1, now.t) / (sqrt(debias(v, self.beta2, now.t)) + self.eps)
        return self.lr * direction, {"first": m, "second": v}


@dataclass(frozen=True)
class LateFault(HandWritten):
    """Forgets the learning rate from the third step on."""

    def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
        decrement, new = super().step(p, g, state, now)
        return where(now.t >= 3, 2.0, 1.0) * decrement, new


def test_hand_written_rule_equals_torch_and_says_what_was_matched() -> None:
    report = check(HandWritten, torch.optim.Adam, steps=30)
    assert report.passed
    assert report.against == "Adam"
    *_, double, single = report.findings
    assert double.what == "30 steps equal Adam in float64"
    assert single.what == "30 steps equal Adam in float32"
    assert "matched lr=0.001, eps=1e-08, betas=(0.9, 0.999)" in double.detail
    # The defaults, then each of the four floats at another value.
    assert double.detail.startswith("5 settings")


def test_first_differing_step_and_parameter_are_named() -> None:
    detail = failed(check(LateFault, torch.optim.Adam, steps=5))["5 steps equal Adam in float64"]
    assert "first differs at step 3, parameter 0 of shape ()" in detail
    assert "largest relative difference" in detail
    assert "matched lr=0.001" in detail


def test_torchs_own_values_that_stand_against_the_rule_are_said() -> None:
    detail = failed(check(Adam, torch.optim.AdamW, steps=5))["5 steps equal AdamW in float64"]
    assert "torch's own weight_decay=0.01" in detail


def test_what_torch_raises_is_a_finding() -> None:
    class Failing(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            raise RuntimeError("the machine is on fire")

    detail = failed(check(SGD, Failing, steps=2))["2 steps equal Failing in float64"]
    assert "the machine is on fire" in detail


def test_wrappers_are_matched_with_torchs_keywords() -> None:
    coupled = match(Maximize(L2(SGD(lr=0.1), 0.2)), torch.optim.SGD).keywords
    assert (coupled["weight_decay"], coupled["maximize"], coupled["momentum"]) == (0.2, True, 0.0)
    decoupled = match(DecoupledDecay(Adam(), 0.2), torch.optim.Adam).keywords
    assert (decoupled["weight_decay"], decoupled["decoupled_weight_decay"]) == (0.2, True)
    for rule, against in [
        (Maximize(L2(SGD(lr=0.1, momentum=0.5), 0.2)), torch.optim.SGD),
        (DecoupledDecay(Adam(lr=0.1), 0.2), torch.optim.Adam),
        (DecoupledDecay(Adam(lr=0.1), 0.2), torch.optim.AdamW),
    ]:
        assert check(rule, against, steps=20).passed


def test_what_torch_has_no_name_for_is_said() -> None:
    assert match(Adam(), torch.optim.SGD).unmatched == ["betas", "eps", "amsgrad"]
    assert "torch has no betas, eps, amsgrad" in str(match(Adam(), torch.optim.SGD))


@pytest.mark.parametrize("default", [torch.float32, torch.float64])
def test_default_type_is_put_back(default: torch.dtype) -> None:
    torch.set_default_dtype(default)
    check(SGD(lr=0.1), torch.optim.SGD, steps=2)
    assert torch.get_default_dtype() == default
    check(LateFault(), torch.optim.Adam, steps=5)
    assert torch.get_default_dtype() == default


def test_questions_of_a_rule_are_answered() -> None:
    @dataclass(frozen=True)
    class Asking(Rule):
        lr: float = 0.1

        def init(self, p: Any) -> State:
            return {"norm": p.new_zeros(())}

        def step(self, p: Any, g: Any, state: State, now: Now) -> Step:
            norm = sqrt(now.total(g * g))
            further = now.gradient(p + 0.1 * g / norm)
            rare = 2.0 if now.due(2) else 1.0
            return self.lr * (rare * further + now.noise(p)), {"norm": norm}

    assert failed(check(Asking)) == {}


def test_report_is_plain_values() -> None:
    report = check(SGD(lr=0.1), torch.optim.SGD, steps=2)
    plain = json.loads(json.dumps(report.to_json()))
    assert (plain["rule"], plain["against"], plain["passed"]) == ("SGD", "SGD", True)
    assert [finding["what"] for finding in plain["findings"][:6]] == [
        RUN,
        PURE,
        RETURNS,
        FLOATS,
        AS_FOR_ONE,
        EXECUTORS,
    ]
    assert set(plain["findings"][0]) == {"what", "passed", "detail"}
    assert plain["timed_on"] == "10 tensors of (64, 64) and 10 of (64,), float32"
    assert all(microseconds > 0 for microseconds in plain["step_microseconds"].values())


def test_two_reports_of_one_rule_have_the_same_findings() -> None:
    first, second = (check(Adam, torch.optim.Adam, steps=3) for _ in range(2))
    assert first.findings == second.findings


@pytest.mark.parametrize("rule", [int, "Adam", torch.optim.Adam, None])
def test_what_is_no_rule_is_refused(rule: Any) -> None:
    with pytest.raises(InputError, match="check proves a rule"):
        check(rule)


def test_what_is_no_optimizer_of_torch_and_no_steps_are_refused() -> None:
    with pytest.raises(InputError, match=r"class of torch\.optim"):
        check(SGD, against=SGD)
    with pytest.raises(InputError, match="at least 1 step; got 0"):
        check(SGD, torch.optim.SGD, steps=0)


def test_relative_difference_is_against_the_largest_of_the_second() -> None:
    a, b = torch.tensor([1.0, 4.0]), torch.tensor([1.5, -5.0])
    assert relative_difference(a, b) == 9.0 / 5.0
    assert relative_difference(a, a) == 0.0
    assert relative_difference(a, torch.zeros(2)) == math.inf
    assert relative_difference(a, torch.tensor([1.0, math.nan])) == math.inf
    assert relative_difference(torch.tensor([1.0, math.nan]), torch.tensor([1.0, math.nan])) == 0.0
    assert relative_difference(a, torch.zeros(3)) == math.inf
    assert relative_difference(torch.zeros(0), torch.zeros(0)) == 0.0

"""The multi-tensor executor in place: where results go, what is overwritten, and how much is computed at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from fallline.executors import Part, Surroundings, foreach, in_place, initial_state, reference
from fallline.executors.foreach import Waiting, _ranges
from fallline.executors.multi_tensor import ADDCMUL, MultiTensor
from fallline.executors.recipe import Recipe
from fallline.rules import LAMB, SGD, Adam, Lion, Now, Prodigy, Rule, ScheduleFreeAdamW, State
from fallline.rules.maths import ema
from fallline.wrappers import Clip

AROUND = Surroundings(step=1, noise=lambda p, position, call: torch.zeros_like(p))
STEP = in_place(foreach)
SHAPES: list[tuple[int, ...]] = [(3,), (2, 4), (), (5,), (1, 2)]


def part_of(rule: Rule, shapes: list[tuple[int, ...]] = SHAPES) -> Part:
    generator = torch.Generator().manual_seed(0)
    p, g = ([torch.randn(shape, generator=generator) for shape in shapes] for _ in range(2))
    count = len(shapes)
    state = [{n: x.clone() for n, x in initial_state(rule, q).items()} for q in p]
    return Part(rule, p, g, state, [rule.floats()] * count, [1] * count, list(range(count)))


def hold(rule: Rule, part: Part, steps: int = 3) -> Part:
    """Hold steps in place to the reference."""
    mine = part.copy()
    for t in range(1, steps + 1):
        before = mine.copy()
        right = reference([before], AROUND)[0]
        STEP([mine], AROUND)
        assert [x.dtype for state in mine.state for x in state.values()] == [
            x.dtype for state in before.state for x in state.values()
        ]
        for p, old, decrement in zip(mine.p, before.p, right.decrement, strict=True):
            torch.testing.assert_close(p, old - decrement, rtol=1e-12, atol=1e-14)
        for state, new in zip(mine.state, right.state, strict=True):
            torch.testing.assert_close(state, new, rtol=1e-12, atol=1e-14)
        mine.t = [t + 1] * len(mine.p)
    for g, same in zip(mine.g, part.g, strict=True):
        assert torch.equal(g, same)
    return mine


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Waiting.make.__globals__, "_AT_ONCE", 40)


def test_parameters_are_cut_by_their_bytes(few_at_once: None) -> None:
    tensors = [torch.empty(n, dtype=torch.float32) for n in (20, 3, 7, 1, 50, 0, 2)]
    assert list(_ranges(tensors)) == [(0, 1), (1, 3), (3, 4), (4, 5), (5, 7)]


RULES = [Lion(), Adam(amsgrad=True), LAMB(), ScheduleFreeAdamW(), Prodigy(), Clip(Adam(), global_norm=0.1)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule.core()).__name__)
def test_few_parameters_at_a_time_give_the_same(rule: Rule, few_at_once: None) -> None:
    hold(rule, part_of(rule))


def test_state_keeps_its_memory() -> None:
    part = part_of(Adam())
    places = [{name: x.data_ptr() for name, x in state.items()} for state in part.state]
    STEP([part], AROUND)
    assert [{name: x.data_ptr() for name, x in state.items()} for state in part.state] == places


@dataclass(frozen=True)
class Keeping(Rule):
    """Keeps an average, and what a test wants."""

    lr: float = 0.1
    kept: Callable[..., State] = lambda p, g, state, m: {}

    def init(self, p: Tensor) -> State:
        return {"m": torch.zeros_like(p), "a": torch.ones_like(p), "b": 2 * torch.ones_like(p)}

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        old = torch.ravel(state["m"])
        m = ema(state["m"], g, 0.9)
        return self.lr * (m - old) + 0.0 * p, {**state, "m": m, **self.kept(p, g, state, m)}


@pytest.mark.parametrize(
    "kept",
    [
        lambda p, g, state, m: {},
        lambda p, g, state, m: {"a": p},
        lambda p, g, state, m: {"a": g, "b": g},
        lambda p, g, state, m: {"a": m},
        lambda p, g, state, m: {"a": state["b"], "b": state["a"]},
        lambda p, g, state, m: {"a": state["m"], "b": state["m"].reshape(-1)},
        lambda p, g, state, m: {"a": (m + g).float()},
        lambda p, g, state, m: {"a": p * g, "b": 3.0 * p - 2.0 * g * g},
    ],
    ids=["views", "p", "g", "twice", "swapped", "old", "narrower", "products"],
)
@pytest.mark.parametrize("shapes", [[(3,), (3,)], [(3,), (4,)]], ids=["alike", "different"])
def test_nothing_is_overwritten_that_is_still_read(kept: Any, shapes: Any) -> None:
    part = hold(Keeping(kept=kept), part_of(Keeping(kept=kept), shapes))
    places = [x.data_ptr() for column in (part.p, part.g, *(state.values() for state in part.state)) for x in column]
    assert len(set(places)) == len(places)


def test_state_that_parameters_share_is_read_by_all_before_it_changes() -> None:
    part = part_of(Adam(), [(3,), (3,)])
    one = torch.ones(3)
    part.state = [{"exp_avg": one, "exp_avg_sq": one} for _ in part.p]
    right = reference([part], AROUND)[0]
    STEP([part], AROUND)
    for state, new in zip(part.state, right.state, strict=True):
        torch.testing.assert_close(state, new, rtol=1e-12, atol=0)


def test_state_that_is_a_view_of_one_number_is_stepped() -> None:
    part = part_of(Adam(), [(3,)])
    part.state[0]["exp_avg"] = torch.zeros(()).expand(3)
    hold_state = reference([part.copy()], AROUND)[0].state[0]
    STEP([part], AROUND)
    torch.testing.assert_close(part.state[0], hold_state, rtol=1e-12, atol=0)


def test_one_value_for_all_parameters_becomes_each_ones_own() -> None:
    @dataclass(frozen=True)
    class Total(Rule):
        lr: float = 0.1

        def init(self, p: Tensor) -> State:
            return {"total": torch.zeros(())}

        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            return self.lr * g, {"total": now.total(g.sum())}

    part = part_of(Total())
    STEP([part], AROUND)
    assert len({state["total"].data_ptr() for state in part.state}) == len(SHAPES)


def test_a_step_that_fails_changes_nothing() -> None:
    @dataclass(frozen=True)
    class Failing(Rule):
        lr: float = 0.1

        def init(self, p: Tensor) -> State:
            return {"m": torch.zeros_like(p)}

        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            m = ema(state["m"], g, 0.9)
            return self.lr * m + torch.ones(7), {"m": m}

    part = part_of(Failing(), [(7,), (3,)])
    before = part.copy()
    with pytest.raises(RuntimeError, match="size of tensor"):
        STEP([part], AROUND)
    torch.testing.assert_close((part.p, part.state), (before.p, before.state), rtol=0, atol=0)


def test_a_step_takes_one_list_of_memory_where_it_needs_one() -> None:
    part = part_of(Lion())
    p, g, m = (MultiTensor(x, private=True) for x in (part.p, part.g, [state["exp_avg"] for state in part.state]))
    direction = torch.sign(ema(m, g, 0.9)) + 0.1 * p
    recipe = Recipe([p - direction, ema(m, g, 0.99)])
    assert sum(not call.over for call in recipe._calls) == 1
    assert len(recipe._calls) == 7


def test_a_wider_number_widens_a_number_alone() -> None:
    numbers = MultiTensor([torch.tensor(2.0, dtype=torch.float64)] * 2)
    x = MultiTensor([torch.tensor(3.0, dtype=torch.float32), torch.ones(2, dtype=torch.float32)])
    for found in (x * numbers, numbers * x):
        assert [y.dtype for y in found.items] == [torch.float64, torch.float32]
        assert found.kind is MultiTensor(found.items).kind


def test_products_that_are_added_are_one_operation() -> None:
    g, v = (MultiTensor(part_of(SGD()).g) for _ in "gv")
    assert ema(v, g * g, 0.9).operation is ADDCMUL
    assert ema(v, g, 0.9).keywords == {"alpha": pytest.approx(0.1)}
    assert (v * g + g).operation is ADDCMUL
    for found, right in ((ema(v, g * g, 0.9), -(-0.9 * v - 0.1 * g * g)), (v * g + g, g - -v * g)):
        torch.testing.assert_close(found.items, right.items, rtol=1e-12, atol=1e-14)


def test_a_decrement_is_rounded_before_a_wrapper_subtracts_it() -> None:
    p, g = MultiTensor([torch.tensor([0.1, 1 / 3])]), MultiTensor([torch.tensor([1 / 7, 0.7])])
    assert torch.equal((p - 0.1 * g).items[0], p.items[0] - 0.1 * g.items[0])

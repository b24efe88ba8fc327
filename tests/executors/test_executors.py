"""What all executors do beside the formula: types, groups, unchanged inputs, members."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from fallline.executors import (
    Executor,
    Part,
    Surroundings,
    foreach,
    initial_state,
    initial_states,
    population,
    reference,
)
from fallline.executors.foreach import MultiTensor
from fallline.rules import SGD, Adagrad, Adam, Now, Rule, State

EXECUTORS = pytest.mark.parametrize("executor", [reference, foreach], ids=["reference", "foreach"])
AROUND = Surroundings(step=1, noise=lambda p, position, call: torch.zeros_like(p))


def part_of(rule: Rule, *tensors: torch.Tensor, **values: Any) -> Part:
    return Part(
        rule,
        p=list(tensors),
        g=[torch.ones_like(p) for p in tensors],
        state=[initial_state(rule, p) for p in tensors],
        values=[{**rule.floats(), **values}] * len(tensors),
        t=[1] * len(tensors),
        position=list(range(len(tensors))),
    )


@EXECUTORS
def test_each_parameter_has_its_groups_values(executor: Executor) -> None:
    part = part_of(SGD(), torch.zeros(2), torch.zeros(3))
    part.values = [{"lr": 0.1, "dampening": 0.0}, {"lr": 0.2, "dampening": 0.0}]
    first, second = executor([part], AROUND)[0].decrement
    assert first.tolist() == [0.1] * 2
    assert second.tolist() == [0.2] * 3


@EXECUTORS
def test_results_have_the_types_of_parameter_and_state(executor: Executor) -> None:
    @dataclass(frozen=True)
    class Widening(Rule):
        lr: float = 0.1

        def init(self, p: Any) -> State:
            return {"kept": torch.zeros_like(p, dtype=torch.bfloat16)}

        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            return self.lr * g.double(), {"kept": state["kept"].double() + 1}

    update = executor([part_of(Widening(), torch.zeros(2, dtype=torch.float32))], AROUND)[0]
    assert update.decrement[0].dtype == torch.float32
    assert update.state[0]["kept"].dtype == torch.bfloat16


@EXECUTORS
def test_one_state_value_for_all_parameters_is_each_ones(executor: Executor) -> None:
    @dataclass(frozen=True)
    class Counting(Rule):
        lr: float = 0.1

        def init(self, p: Any) -> State:
            return {"norm": torch.zeros(())}

        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            return self.lr * g, {"norm": now.total(g * g)}

    update = executor([part_of(Counting(), torch.zeros(2), torch.zeros(3))], AROUND)[0]
    assert [state["norm"].item() for state in update.state] == [5.0, 5.0]


@EXECUTORS
def test_nothing_is_changed_in_place(executor: Executor) -> None:
    part = part_of(Adam(), torch.full((2,), 3.0))
    executor([part], AROUND)
    assert part.p[0].tolist() == [3.0, 3.0]
    assert part.g[0].tolist() == [1.0, 1.0]
    assert part.state[0]["exp_avg"].tolist() == [0.0, 0.0]


@EXECUTORS
def test_program_without_state_gives_empty_states(executor: Executor) -> None:
    update = executor([part_of(SGD(), torch.zeros(2), torch.zeros(()))], AROUND)[0]
    assert update.state == [{}, {}]


def test_foreach_hands_lists_that_call_multi_tensor_functions() -> None:
    seen = []

    @dataclass(frozen=True)
    class Watching(Rule):
        lr: float = 0.1

        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            seen.append(type(g))
            return self.lr * g, state

    foreach([part_of(Watching(), torch.zeros(2))], AROUND)
    assert seen == [MultiTensor]


MEMBERS = torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64)


def test_population_steps_each_member_with_its_values() -> None:
    p = torch.zeros(3, 2)
    update = population(SGD(), {"lr": MEMBERS}, [p], [torch.ones(3, 2)], [{}], 1, AROUND)
    assert torch.equal(update.decrement[0], MEMBERS[:, None].expand(3, 2))
    assert update.state == [{}]


def test_population_keeps_nan_in_its_own_member() -> None:
    g = torch.tensor([[1.0, 1.0], [torch.nan, 1.0], [1.0, 1.0]])

    @dataclass(frozen=True)
    class Normalised(Rule):
        lr: float = 0.1

        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            return self.lr * g / torch.sqrt(now.total(g * g)), state

    decrement = population(Normalised(), {"lr": MEMBERS}, [g], [g], [{}], 1, AROUND).decrement[0]
    assert decrement[1].isnan().all()
    assert torch.allclose(decrement[[0, 2]], MEMBERS[[0, 2], None] / 2**0.5, rtol=1e-15)


@pytest.mark.parametrize("shape", [(), (1,), (2, 2)])
def test_population_of_float32_is_not_widened(shape: tuple[int, ...]) -> None:
    p = torch.zeros(3, *shape, dtype=torch.float32)
    rule = Adagrad()
    values = {name: torch.full((3,), value) for name, value in rule.floats().items()}
    values["initial_accumulator_value"] = torch.tensor([0.1, 0.2, 0.3])
    states = initial_states(rule, values, [p])
    assert states[0]["sum"].dtype == torch.float32
    assert states[0]["sum"].shape == p.shape
    update = population(rule, values, [p], [torch.ones_like(p)], states, 1, AROUND)
    for j in range(3):
        single = Adagrad(initial_accumulator_value=values["initial_accumulator_value"][j].item())
        right = reference([part_of(single, p[j])], AROUND)[0]
        assert torch.equal(states[0]["sum"][j], initial_state(single, p[j])["sum"])
        assert torch.equal(update.decrement[0][j], right.decrement[0])
        assert update.state[0]["sum"].dtype == torch.float32


def test_population_asks_for_noise_and_gradients_at_the_parameters_own_shape() -> None:
    asked: list[tuple[int, ...]] = []

    def noise(p: torch.Tensor, position: int, call: int) -> torch.Tensor:
        asked.append(tuple(p.shape))
        return torch.full(p.shape, 0.5)

    def gradient(points: Any) -> list[torch.Tensor]:
        asked.extend(tuple(x.shape) for _, x in points)
        return [2 * x for _, x in points]

    @dataclass(frozen=True)
    class Asking(Rule):
        lr: float = 0.1

        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            return self.lr * now.gradient(p + now.noise(p)), state

    p = [torch.zeros(3), torch.zeros(3, 2)]
    update = population(Asking(), {"lr": MEMBERS}, p, p, [{}, {}], 1, Surroundings(1, noise, gradient))
    assert asked == [(), (2,), (), (2,)]
    assert torch.equal(update.decrement[0], MEMBERS)
    assert torch.equal(update.decrement[1], MEMBERS[:, None].expand(3, 2))


@dataclass(frozen=True)
class Tall(Rule):
    """Descent by g g^T g, for tall matrices transposed first; its state depends on the rank."""

    lr: float = 0.1

    acts_on = "matrix"

    def init(self, p: torch.Tensor) -> State:
        return {"mean": p.mean(0)} if p.dim() > 2 else {}

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        flat = g.flatten(1)
        rows, columns = flat.shape
        if rows > columns:
            flat = flat.T
        product = flat @ flat.T @ flat
        return self.lr * (product.T if rows > columns else product).reshape(g.shape), state


@EXECUTORS
def test_a_rule_that_sees_matrices_may_branch_on_their_shape(executor: Executor) -> None:
    p = [torch.randn(shape) for shape in [(2, 3), (3, 2), (2, 3), (2, 2, 2)]]
    part = part_of(Tall(), *p)
    part.g = [torch.randn_like(q) for q in p]
    update = executor([part], AROUND)[0]
    for g, decrement, state in zip(part.g, update.decrement, update.state, strict=True):
        flat = g.flatten(1)
        assert torch.allclose(decrement, 0.1 * (flat @ flat.T @ flat).reshape(g.shape))
        assert set(state) == ({"mean"} if g.dim() > 2 else set())


def test_a_population_of_matrices_may_branch_on_their_shape() -> None:
    p = [torch.randn(3, *shape) for shape in [(2, 3), (3, 2)]]
    update = population(Tall(), {"lr": MEMBERS}, p, p, [{}, {}], 1, AROUND)
    for q, decrement in zip(p, update.decrement, strict=True):
        right = MEMBERS.float()[:, None, None] * (q @ q.mT @ q)
        assert torch.allclose(decrement, right)


def test_things_are_due_every_k_steps_from_the_first_or_a_later_one() -> None:
    due: list[tuple[bool, bool]] = []

    @dataclass(frozen=True)
    class Asking(Rule):
        def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
            due.append((now.due(3), now.due(3, first=3)))
            return g, state

    for step in range(1, 8):
        reference([part_of(Asking(), torch.zeros(2))], Surroundings(step, AROUND.noise))
    assert [first for first, _ in due] == [True, False, False, True, False, False, True]
    assert [last for _, last in due] == [False, False, True, False, False, True, False]

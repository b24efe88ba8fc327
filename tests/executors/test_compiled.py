"""The compiled executor: what is captured once serves all sizes, schedules and groups; layouts; memory; no compiler."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from fallline.errors import InputError
from fallline.executors import Compiled, Part, Surroundings, can_compile, initial_state, kernels
from fallline.executors.kernels import LARGE, inductor
from fallline.optim import Optimizer, automatic
from fallline.optim import optimizer as faces
from fallline.rules import SGD, SOAP, Adafactor, Adam, Lion, NAdam, Now, Rule, State
from fallline.rules.maths import ema, sqrt
from fallline.wrappers import Accumulate, Centralise, Clip, Noise


class Counting:
    """A backend that compiles nothing and counts what it was asked for."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: Any, examples: Any, all_threads: bool) -> Callable[..., Any]:
        self.graphs += 1
        return graph  # type: ignore[no-any-return]


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setitem(faces.EXECUTORS, "compiled", Compiled(counting))
    return counting


def weights(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]


def step(optimizer: Optimizer, *missing: int) -> None:
    for i, p in enumerate(p for group in optimizer.param_groups for p in group["params"]):
        p.grad = None if i in missing else torch.cos(p.detach())
    optimizer.step()


def test_one_kernel_serves_all_sizes_schedules_gaps_and_groups(backend: Counting) -> None:
    optimizer = Optimizer(weights((3,), (4, 5), (), (1,), (2, 3, 2)), Adam(), executor="compiled")
    step(optimizer)
    assert backend.graphs == 1
    for lr in (0.1, 0.0, torch.tensor(0.2)):
        optimizer.param_groups[0]["lr"] = lr
        step(optimizer, 1, 3)
    optimizer.add_param_group({"params": weights((7, 7)), "lr": 0.5, "betas": (0.5, 0.9)})
    step(optimizer)
    another = Optimizer(weights((9,)), Adam(lr=1.0), executor="compiled")
    step(another)
    assert backend.graphs == 1


def test_large_parameters_have_a_kernel_of_their_own(backend: Counting) -> None:
    step(Optimizer(weights((LARGE - 1,), (LARGE,), (LARGE + 5,)), SGD(), executor="compiled"))
    assert backend.graphs == 2


def test_what_is_due_now_and_then_is_compiled_for_both(backend: Counting) -> None:
    optimizer = Optimizer(weights((3,)), Accumulate(SGD(), k=3), executor="compiled")
    for _ in range(9):
        step(optimizer)
    assert backend.graphs == 2


def test_no_more_than_a_few_shapes_of_matrices_are_compiled(backend: Counting) -> None:
    step(Optimizer(weights(*((2, n) for n in range(2, 12))), Adafactor(), executor="compiled"))
    assert backend.graphs == 4


@pytest.mark.parametrize("rule", [Adam(), NAdam(), Clip(Adam(), global_norm=0.5), Noise(SGD()), Adafactor()], ids=str)
def test_any_layout_in_memory_gives_the_same(backend: Counting, rule: Rule) -> None:
    def laid_out() -> list[torch.Tensor]:
        kernel, flat, strided = weights((2, 3, 4, 5), (4, 6), (6, 8))
        channels_last = kernel.detach().contiguous(memory_format=torch.channels_last)
        return [x.detach().requires_grad_() for x in (channels_last, flat.T, strided[::2, ::3])]

    mine, right = laid_out(), laid_out()
    compiled, reference = (
        Optimizer(mine, rule, executor="compiled"),
        Optimizer(right, rule, executor="reference"),
    )
    for _ in range(3):
        step(compiled)
        step(reference)
    for p, q in zip(mine, right, strict=True):
        assert p.stride() == q.stride()
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)


def test_a_gradient_of_another_layout_is_read_right(backend: Counting) -> None:
    (p,) = weights((4, 6))
    p.grad = torch.arange(24.0).reshape(6, 4).T
    before = p.detach().clone()
    Optimizer([p], SGD(lr=1.0), executor="compiled").step()
    assert torch.equal(p, before - torch.arange(24.0).reshape(6, 4).T)


def test_a_backward_pass_through_weights_that_were_stepped_is_refused() -> None:
    (p,) = weights((3,))
    loss = (p * p).sum()
    step(Optimizer([p], SGD(), executor="compiled"))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_state_keeps_its_memory(backend: Counting) -> None:
    (p,) = weights((5,))
    optimizer = Optimizer([p], Adam(), executor="compiled")
    step(optimizer)
    places = {name: x.data_ptr() for name, x in optimizer.state[p].items() if name != "step"}
    step(optimizer)
    assert {name: x.data_ptr() for name, x in optimizer.state[p].items() if name != "step"} == places


def test_without_a_compiler_one_warning_is_given_and_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("No working C++ compiler found in torch._inductor.config.cpp.cxx: (None, 'g++')")

    monkeypatch.setattr(torch._inductor, "standalone_compile", no_compiler)
    monkeypatch.setitem(faces.EXECUTORS, "compiled", Compiled())
    can_compile.cache_clear()
    try:
        (p,) = weights((3,))
        before = p.detach().clone()
        optimizer = Optimizer([p], SGD(lr=1.0), executor="compiled")
        with pytest.warns(UserWarning, match="torch cannot compile for cpu here"):
            step(optimizer)
        # A second warning would fail: warnings are errors here.
        step(Optimizer(weights((2,)), Adam(), executor="compiled"))
        assert torch.equal(p, before - torch.cos(before))
    finally:
        can_compile.cache_clear()


def test_a_thousand_tensors_are_captured_once() -> None:
    backend = Counting()
    p = [torch.zeros(n) for n in range(2, 1002)]
    part = Part(
        SGD(), p, p, [initial_state(SGD(), x) for x in p], [SGD().floats()] * 1000, [1] * 1000, list(range(1000))
    )
    Compiled(backend)([part], Surroundings(1, lambda q, position, call: q))
    assert backend.graphs == 1


def test_what_the_compiler_fails_on_runs_uncompiled_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor.exc import InductorError

    def failing(*arguments: Any, **keywords: Any) -> None:
        raise InductorError(KeyError("buf4"), None)

    monkeypatch.setattr(kernels, "can_compile", lambda device: True)
    monkeypatch.setattr(torch._inductor, "standalone_compile", failing)
    graph = torch.fx.symbolic_trace(lambda x: -x)
    with pytest.warns(UserWarning, match=r"runs uncompiled: KeyError: 'buf4'"):
        made = inductor(graph, [torch.ones(2)], False)
    assert made is graph


def test_centralised_lion_which_some_compilers_fail_on_is_compiled_without_a_warning() -> None:
    ours, right = ([p] for p in (*weights((10, 20)), *weights((10, 20))))
    for params, executor in ((ours, "compiled"), (right, "reference")):
        optimizer = Optimizer(params, Centralise(Lion()), executor=executor)
        step(optimizer)
        step(optimizer)
    torch.testing.assert_close(ours, right)


@dataclass(frozen=True)
class PythonRoot(Rule):
    """Computes with Python's math, which a graph would fix at its first value."""

    lr: float = 0.1

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        return self.lr / math.sqrt(now.t) * g, state


@dataclass(frozen=True)
class Branching(Rule):
    lr: float = 0.1

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        return (self.lr if now.t > 2 else 1.0) * g, state


@dataclass(frozen=True)
class InPlace(Rule):
    lr: float = 0.1

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        g += 0.1 * p
        return self.lr * g / (1 + sqrt(now.total((g * g).sum()))), state


@dataclass(frozen=True)
class ByRows(Rule):
    """Asks for the shape, and does not say that it sees matrices."""

    lr: float = 0.1

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        return self.lr * g / p.shape[0], state


@dataclass(frozen=True)
class Twins(Rule):
    """Gives one tensor two names."""

    lr: float = 0.1

    def init(self, p: torch.Tensor) -> State:
        zeros = torch.zeros_like(p)
        return {"mean": zeros, "square": zeros, "seen": torch.zeros(3, dtype=p.dtype)}

    def step(self, p: Any, g: Any, state: State, now: Now) -> tuple[Any, State]:
        m, v = ema(state["mean"], g, 0.9), ema(state["square"], g * g, 0.99)
        return self.lr * m / (sqrt(v) + 1e-8), {"mean": m, "square": v, "seen": state["seen"] + 1}


@pytest.mark.parametrize("rule", [PythonRoot(), Branching(), InPlace(), ByRows()], ids=lambda rule: type(rule).__name__)
def test_a_formula_that_changes_when_it_is_captured_is_refused(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer = Optimizer(weights((4, 4)), rule, executor="compiled")
    with pytest.raises(InputError, match=f"{type(rule).__name__} cannot be compiled: it"):
        step(optimizer)
    monkeypatch.setattr(automatic, "can_compile", lambda device: True)
    monkeypatch.setattr(automatic, "worth_compiling", lambda rule, parameters: True)
    large = [{"params": [torch.empty(1)]}]
    with pytest.warns(UserWarning, match=f"{type(rule).__name__} is not compiled"):
        assert automatic.chosen(rule, rule, large) == "foreach"


@pytest.mark.parametrize("shape", [(3,), (4, 4), ()])
def test_entries_that_share_memory_or_have_another_shape_are_kept_apart(shape: tuple[int, ...]) -> None:
    ours, right = weights(shape), weights(shape)
    compiled, reference = (
        Optimizer(params, Twins(), executor=executor) for params, executor in ((ours, "compiled"), (right, "reference"))
    )
    for _ in range(4):
        step(compiled)
        step(reference)
    torch.testing.assert_close(ours[0], right[0], rtol=1e-6, atol=0)
    assert compiled.state[ours[0]]["seen"].tolist() == [4.0] * 3


def test_threads_compile_one_after_another() -> None:
    compiled = Compiled()
    rules = [Lion(), Adam(), SGD(), NAdam()]

    def train(rule: Rule) -> None:
        p = torch.ones(10)
        part = Part(rule, [p], [p.clone()], [initial_state(rule, p)], [rule.floats()], [1], [0])
        compiled([part], Surroundings(1, lambda q, position, call: q))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(train, rules)) == [None] * 4


@pytest.mark.parametrize("executor", ["reference", "foreach", "compiled"])
@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda g, s: None, "must return what to subtract and the new state"),
        (lambda g, s: g, "must return what to subtract and the new state"),
        (lambda g, s: (0.1, s), "must return a tensor to subtract"),
        (lambda g, s: (g, {}), "must return the entries of state that init made"),
        (lambda g, s: (g, {**s, "more": g}), "must return the entries of state that init made"),
    ],
    ids=["nothing", "one", "number", "too few", "too many"],
)
def test_what_a_step_must_return_is_said(executor: str, result: Any, message: str) -> None:
    @dataclass(frozen=True)
    class Wrong(Rule):
        lr: float = 0.1

        def init(self, p: torch.Tensor) -> State:
            return {"mean": torch.zeros_like(p)}

        def step(self, p: Any, g: Any, state: State, now: Now) -> Any:
            return result(g, state)

    with pytest.raises(InputError, match=message):
        step(Optimizer(weights((3,)), Wrong(), executor=executor))


def test_a_kernel_is_given_tensors_that_lie_as_in_its_example(monkeypatch: pytest.MonkeyPatch) -> None:
    def strict(graph: Any, examples: Any, all_threads: bool) -> Callable[..., Any]:
        def call(*given: torch.Tensor) -> Any:
            assert [x.stride() for x in given] == [x.stride() for x in examples]
            return graph(*given)

        return call

    monkeypatch.setitem(faces.EXECUTORS, "compiled", Compiled(strict))
    optimizers = [Optimizer(weights((4, 3)), SOAP(), executor=executor) for executor in ("compiled", "reference")]
    for moved in range(3):
        for optimizer in optimizers:
            state = optimizer.state[optimizer.param_groups[0]["params"][0]]
            # Decompositions leave their factors column by column, a file of another executor's too.
            for name in [name for name, x in state.items() if x.dim() == 2 and moved == 2]:
                state[name] = state[name].t().contiguous().t()
            step(optimizer)
    mine, reference = (optimizer.state[optimizer.param_groups[0]["params"][0]] for optimizer in optimizers)
    assert all(torch.allclose(mine[name], x, atol=1e-5) for name, x in reference.items())

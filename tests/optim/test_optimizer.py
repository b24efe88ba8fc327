"""The torch.optim.Optimizer interface of any rule."""

import copy
import io
import math
import pickle
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, zeros_like

from fallline import optim
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, Adam, Now, RMSprop, Rule, State
from fallline.wrappers import L2

EXECUTORS = pytest.mark.parametrize("executor", ["auto", "reference", "foreach"])


def weight(*values: float) -> torch.Tensor:
    return torch.tensor(values, requires_grad=True)


def step_with(optimizer: torch.optim.Optimizer, *pairs: tuple[torch.Tensor, list[float]]) -> None:
    for p, gradient in pairs:
        p.grad = torch.tensor(gradient)
    optimizer.step()


def test_any_rule_trains_a_model_as_its_face_does() -> None:
    def trained(make: Any) -> list[torch.Tensor]:
        model = torch.nn.Linear(3, 2)
        with torch.no_grad():
            for p in model.parameters():
                p.fill_(0.5)
        optimizer = make(model)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(4, 3)).square().mean().backward()
            optimizer.step()
        return [p.detach() for p in model.parameters()]

    mine = trained(lambda model: Optimizer(model.parameters(), Adam(lr=0.1)))
    face = trained(lambda model: optim.Adam(model.named_parameters(), lr=0.1))
    assert all(torch.equal(a, b) for a, b in zip(mine, face, strict=True))
    assert not torch.allclose(mine[0], torch.tensor(0.5))


def test_groups_have_their_own_values() -> None:
    p, q = weight(1.0), weight(1.0)
    optimizer = Optimizer([{"params": [p]}, {"params": q, "lr": 0.5}], SGD(lr=0.1))
    step_with(optimizer, (p, [1.0]), (q, [1.0]))
    assert [p.item(), q.item()] == [0.9, 0.5]


def test_groups_of_different_programs_and_counts_step_together() -> None:
    p, q = weight(1.0), weight(1.0)
    optimizer = Optimizer([{"params": [p], "momentum": 0.9}, {"params": [q]}], SGD(lr=0.1), executor="foreach")
    step_with(optimizer, (p, [1.0]))
    step_with(optimizer, (p, [1.0]), (q, [1.0]))
    assert p.item() == pytest.approx(1 - 0.1 - 0.19, rel=1e-15)
    assert q.item() == 0.9
    assert optimizer.state[p]["step"].item() == 2
    assert optimizer.state[q]["step"].item() == 1


def test_named_parameters_keep_their_names() -> None:
    model = torch.nn.Linear(2, 1)
    optimizer = optim.Adam(model.named_parameters())
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


def test_group_is_added_and_checked() -> None:
    p, q = weight(1.0), weight(1.0)
    optimizer = optim.Adam([p], lr=0.1, betas=(0.5, 0.6))
    optimizer.add_param_group({"params": [q], "lr": 0.2})
    assert optimizer.param_groups[1]["betas"] == (0.5, 0.6)
    with pytest.raises(InputError, match=r"In parameter group 2: 'beta' is no hyperparameter\. Did you mean 'betas'"):
        optimizer.add_param_group({"params": [weight(1.0)], "beta": 0.5})
    with pytest.raises(InputError, match=r"In parameter group 2: Adam: lr must be .* got -1\.0"):
        optimizer.add_param_group({"params": [weight(1.0)], "lr": -1.0})
    assert len(optimizer.param_groups) == 2


def test_groups_that_schedulers_have_written_make_a_new_optimizer() -> None:
    p = weight(1.0)
    first = optim.SGD([p], lr=0.1, momentum=0.9)
    torch.optim.lr_scheduler.OneCycleLR(first, 0.1, total_steps=10)
    second = optim.SGD(first.param_groups)
    assert second.param_groups[0]["lr"] == first.param_groups[0]["lr"]


@pytest.mark.parametrize("lr", [-0.1, math.inf, math.nan, True, "0.1"])
def test_bad_value_is_refused_and_names_the_group_where_one_holds_it(lr: Any) -> None:
    with pytest.raises(InputError, match=r"^Adam: lr must be a finite number"):
        optim.Adam([weight(1.0)], lr=lr)
    with pytest.raises(InputError, match=r"^In parameter group 1: Adam: lr must be a finite number"):
        optim.Adam([{"params": [weight(1.0)]}, {"params": [weight(1.0)], "lr": lr}])


@pytest.mark.parametrize("betas", [0.9, (0.9,), (0.9, 0.99, 0.999), None])
def test_betas_are_two_numbers(betas: Any) -> None:
    with pytest.raises(InputError, match=r"betas must be 2 numbers \(beta1, beta2\)"):
        optim.Adam([weight(1.0)], betas=betas)


@pytest.mark.parametrize("decay", [-1.0, math.nan, "0.1"])
def test_bad_decay_is_refused(decay: Any) -> None:
    with pytest.raises(InputError, match="^SGD: weight_decay must be"):
        optim.SGD([weight(1.0)], lr=0.1, weight_decay=decay)
    with pytest.raises(InputError, match="^In parameter group 0: SGD: weight_decay must be"):
        optim.SGD([{"params": [weight(1.0)], "weight_decay": decay}], lr=0.1)


def test_arguments_that_are_swapped_or_no_parameters_are_refused() -> None:
    model = torch.nn.Linear(2, 1)
    said = r"parameters come first and the rule second: Optimizer\(model\.parameters\(\), SGD\(\.\.\.\)\)\.$"
    with pytest.raises(InputError, match=said):
        Optimizer(SGD(), model.parameters())  # type: ignore[arg-type]
    for made in (lambda: Optimizer(model, SGD()), lambda: optim.SGD(model)):
        with pytest.raises(InputError, match=r"got a model, Linear\. Give it model\.parameters\(\)\."):
            made()
    with pytest.raises(InputError, match=r"needs a rule, .* got \[Parameter float64\[1000\]\]\.$"):
        Optimizer([weight(1.0)], [torch.nn.Parameter(torch.zeros(1000))])  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", ["a", 1.5, None, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    for made in (lambda: Optimizer([weight(1.0)], SGD(), seed=seed), lambda: optim.SGD([weight(1.0)], seed=seed)):
        with pytest.raises(InputError, match="seed must be a whole number; got"):
            made()


def test_a_group_without_parameters_is_refused() -> None:
    with pytest.raises(InputError, match=r"In parameter group 0: It has no 'params'; it holds lr\. Write \{'params'"):
        Optimizer([{"lr": 0.1}], SGD())
    optimizer = Optimizer([weight(1.0)], SGD())
    for group in ({"momentum": 0.5}, {}, [weight(1.0)]):
        with pytest.raises(
            InputError, match=r"In parameter group 1: (It has no|A parameter group is a dict with) 'params'"
        ):
            optimizer.add_param_group(group)  # type: ignore[arg-type]


@EXECUTORS
@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("key", "value"),
    [("lr", "x"), ("lr", None), ("lr", torch.ones(2)), ("betas", ("x", 0.9)), ("weight_decay", "0.1"), ("eps", [1e-8])],
)
def test_what_is_no_number_is_refused_at_the_step(executor: str, early: bool, key: str, value: Any) -> None:
    p = weight(1.0)
    optimizer = optim.Adam([p], executor=executor)
    if not early:
        step_with(optimizer, (p, [1.0]))
    before = p.item()
    optimizer.param_groups[0][key] = value
    name = "beta1" if key == "betas" else key
    with pytest.raises(InputError, match=f"^{name} must be a number; a parameter group holds "):
        step_with(optimizer, (p, [1.0]))
    assert p.item() == before


def test_class_of_a_rule_and_unknown_executor_are_refused() -> None:
    with pytest.raises(InputError, match=r"Optimizer needs a rule.*must be called first"):
        Optimizer([weight(1.0)], SGD)
    with pytest.raises(InputError, match=r"'forech' is no executor\. Did you mean 'foreach'"):
        Optimizer([weight(1.0)], SGD(), executor="forech")


def test_closure_is_called_once_with_gradients_and_its_loss_returned() -> None:
    p = weight(2.0)
    optimizer = Optimizer([p], SGD(lr=0.1))
    calls = []

    def closure() -> torch.Tensor:
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = (p**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert calls == [True]
    assert p.item() == 1.6


@EXECUTORS
def test_missing_gradients_leave_parameter_and_count_alone(executor: str) -> None:
    p, q = weight(1.0), weight(1.0)
    optimizer = Optimizer([p, q], Adam(lr=0.1), executor=executor)
    optimizer.step()
    assert not optimizer.state
    step_with(optimizer, (p, [1.0]))
    p.grad = None
    step_with(optimizer, (q, [3.0]))
    # The first step of Adam has the size of the learning rate, whenever it comes.
    assert [p.item(), q.item()] == pytest.approx([0.9, 0.9], rel=1e-7)
    assert optimizer.state[q]["step"].item() == 1


@EXECUTORS
def test_zero_dimensional_and_empty_parameters(executor: str) -> None:
    p, q = torch.tensor(1.0, requires_grad=True), torch.zeros(0, 3, requires_grad=True)
    optimizer = Optimizer([p, q], RMSprop(lr=0.1, momentum=0.9, centered=True), executor=executor)
    for _ in range(2):
        p.grad, q.grad = torch.tensor(1.0), torch.zeros(0, 3)
        optimizer.step()
    assert p.shape == ()
    assert p.item() < 1.0
    assert q.shape == (0, 3)
    assert optimizer.state[q]["square_avg"].shape == (0, 3)


def test_learning_rate_may_be_a_tensor() -> None:
    p = weight(1.0)
    step_with(optim.SGD([p], lr=torch.tensor(0.25)), (p, [1.0]))
    assert p.item() == 0.75


def test_parameters_of_several_types_keep_them() -> None:
    p, q = weight(1.0), torch.ones(1, dtype=torch.float32, requires_grad=True)
    optimizer = optim.Adam([p, q], lr=0.1)
    p.grad, q.grad = torch.ones(1), torch.ones(1, dtype=torch.float32)
    optimizer.step()
    assert (p.dtype, q.dtype) == (torch.float64, torch.float32)
    assert optimizer.state[q]["exp_avg"].dtype == torch.float32
    assert q.item() == pytest.approx(0.9, rel=1e-6)


def test_hooks_are_called_around_the_step() -> None:
    p = weight(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    seen = []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(p.item()))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(p.item()))
    optimizer.register_state_dict_post_hook(lambda o, packed: {**packed, "note": 1})
    step_with(optimizer, (p, [1.0]))
    assert seen == [1.0, 0.9]
    assert optimizer.state_dict()["note"] == 1


def test_repr_shows_every_groups_values() -> None:
    text = repr(optim.Adam([weight(1.0)], lr=0.1))
    assert text.startswith("Adam (\nParameter Group 0\n")
    assert "    lr: 0.1\n" in text
    assert "    betas: (0.9, 0.999)\n" in text
    assert "l2.weight_decay: 0.5" in repr(Optimizer([weight(1.0)], L2(SGD(), 0.5)))


def worked_optimizer(p: torch.Tensor, **values: Any) -> Optimizer:
    optimizer: Optimizer = optim.Adam([p], lr=0.1, betas=(0.8, 0.9), weight_decay=0.01, **values)
    for gradient in (1.0, -0.5):
        step_with(optimizer, (p, [gradient]))
    return optimizer


def goes_on(optimizer: torch.optim.Optimizer) -> float:
    p: torch.Tensor = optimizer.param_groups[0]["params"][0]
    step_with(optimizer, (p, [0.25]))
    return p.item()


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))],
    ids=["deepcopy", "pickle"],
)
def test_a_copy_goes_on_as_the_original_and_apart_from_it(copied: Any) -> None:
    original = worked_optimizer(weight(1.0), executor="reference", seed=3)
    twin = copied(original)
    assert (twin.rule, twin.executor, twin.seed) == (original.rule, "reference", 3)
    before = twin.param_groups[0]["params"][0].item()
    after = goes_on(original)
    assert twin.param_groups[0]["params"][0].item() == before
    assert goes_on(twin) == after


def test_any_rules_optimizer_is_pickled() -> None:
    p = weight(1.0)
    optimizer = Optimizer([p], L2(SGD(lr=0.1, momentum=0.9), 0.1))
    step_with(optimizer, (p, [1.0]))
    twin = pickle.loads(pickle.dumps(optimizer))
    assert goes_on(twin) == goes_on(optimizer)


def test_state_dict_is_saved_and_loaded_as_weights_only() -> None:
    p = weight(1.0)
    optimizer = worked_optimizer(p)
    buffer = io.BytesIO()
    torch.save(optimizer.state_dict(), buffer)
    buffer.seek(0)
    q = p.detach().clone().requires_grad_()
    other = optim.Adam([q])
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert other.param_groups[0]["betas"] == (0.8, 0.9)
    assert goes_on(other) == goes_on(optimizer)


def test_two_optimizers_from_one_state_dict_run_apart() -> None:
    p = weight(1.0)
    optimizer = worked_optimizer(p)
    other = optim.Adam([p.detach().clone().requires_grad_()])
    other.load_state_dict(optimizer.state_dict())
    alone = goes_on(copy.deepcopy(other))
    goes_on(optimizer)
    assert goes_on(other) == alone
    assert other.state[other.param_groups[0]["params"][0]]["step"].item() == 3


def test_count_that_was_a_plain_number_is_read() -> None:
    p = weight(1.0)
    optimizer = worked_optimizer(p)
    packed = copy.deepcopy(optimizer.state_dict())
    packed["state"][0]["step"] = 2.0
    other = optim.Adam([p.detach().clone().requires_grad_()])
    other.load_state_dict(packed)
    assert goes_on(other) == goes_on(optimizer)
    assert other.state_dict()["state"][0]["step"].item() == 3


def test_values_that_a_loaded_state_lacks_are_kept_from_construction() -> None:
    p = weight(1.0)
    torchs = torch.optim.Adagrad([weight(1.0)], lr=0.5)
    optimizer = optim.Adagrad([p], eps=0.1, eps_inside_root=True)
    optimizer.load_state_dict(torchs.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert optimizer.param_groups[0]["eps_inside_root"] is True


@EXECUTORS
@pytest.mark.parametrize("dampening", [0.0, 0.5])
def test_momentum_may_come_and_go_as_in_torch(executor: str, dampening: float) -> None:
    p, q = weight(1.0, 2.0), weight(1.0, 2.0)
    mine = optim.SGD([p], lr=0.1, momentum=0.0, dampening=dampening, executor=executor)
    right = torch.optim.SGD([q], lr=0.1, momentum=0.0, dampening=dampening)
    for step, momentum in enumerate([0.0, 0.0, 0.9, 0.9, 0.0, 0.5, 0.5]):
        for optimizer, x in ((mine, p), (right, q)):
            optimizer.param_groups[0]["momentum"] = momentum
            step_with(optimizer, (x, [1.0 + step, -1.0]))
        assert torch.allclose(p, q, rtol=1e-14, atol=0.0), step


@EXECUTORS
def test_parameters_of_one_program_may_have_had_different_states(executor: str) -> None:
    p, q = weight(1.0), weight(1.0)
    optimizer = optim.SGD([{"params": [p], "momentum": 0.9}, {"params": [q]}], lr=0.1, executor=executor)
    step_with(optimizer, (p, [1.0]), (q, [1.0]))
    optimizer.param_groups[0]["momentum"] = 0.0
    step_with(optimizer, (p, [1.0]), (q, [1.0]))
    assert [p.item(), q.item()] == [0.8, 0.8]


def test_schedule_may_write_what_construction_refuses() -> None:
    p = weight(1.0)
    optimizer = optim.SGD([p], lr=0.1)
    optimizer.param_groups[0]["lr"] = -0.1
    step_with(optimizer, (p, [1.0]))
    assert p.item() == 1.1


@dataclass(frozen=True)
class Remembers(Rule):
    """Keeps the starting weights, the last weights and the last gradient themselves as its state."""

    lr: float = 0.1

    def init(self, p: Tensor) -> State:
        return {"start": p, "last_p": p, "last_g": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        pull = (p - state["start"]) + (p - state["last_p"]) + state["last_g"]
        return self.lr * (g + pull), {"start": state["start"], "last_p": p, "last_g": g}


@pytest.mark.parametrize("executor", ["reference", "foreach"])
def test_a_rule_may_remember_the_parameter_and_the_gradient_themselves(executor: str) -> None:
    p = torch.tensor([1.0, -2.0], requires_grad=True)
    optimizer = Optimizer([p], Remembers(), executor=executor)
    expected, start, last_p, last_g = p.detach().clone(), p.detach().clone(), p.detach().clone(), torch.zeros(2)
    for _ in range(4):
        optimizer.zero_grad(set_to_none=False)
        (p**2).sum().backward()
        optimizer.step()
        g = 2 * expected
        pull = (expected - start) + (expected - last_p) + last_g
        last_p, last_g = expected.clone(), g
        expected = expected - 0.1 * (g + pull)
        assert torch.allclose(p, expected, rtol=1e-12)


@dataclass(frozen=True)
class Initialised(Rule):
    """Begins with any state."""

    first: Any = None

    def init(self, p: Tensor) -> State:
        found: State = self.first
        return found

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        return g, state


@pytest.mark.parametrize("executor", ["auto", "reference", "foreach", "compiled"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_a_state_that_is_no_tensors_is_refused_at_construction(executor: str, dtype: torch.dtype) -> None:
    p = torch.ones(2, dtype=dtype, requires_grad=True)
    with pytest.raises(InputError, match=r"Initialised\.init must return tensors; its 'count' is 0\. Write zeros_like"):
        Optimizer([p], Initialised({"count": 0}), executor=executor)
    with pytest.raises(InputError, match=r"Initialised\.init must return a dict of tensors, .* got None\."):
        Optimizer([p], Initialised(), executor=executor)

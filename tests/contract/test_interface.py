"""What torch.optim.Optimizer promises, held by every rule."""

import inspect
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, StepLR

from fallline import optim
from fallline.errors import InputError
from fallline.optim import Optimizer
from fallline.rules import SGD, Adam, Rule
from tests.conformance.variants import EXPORTED, NAMESAKES, torch_class
from tests.contract.trained import ON_ELEMENTS, RULES, copies, drawn, parameters, same, set_gradients, train, trained


def takes(made: Any, keyword: str) -> bool:
    """Whether a class takes a keyword at construction."""
    return keyword in inspect.signature(made).parameters


@RULES
def test_parameters_without_gradient_keep_weights_and_have_no_state(rule: Rule) -> None:
    params, alone = parameters(), parameters()
    optimizer, single = Optimizer(params, rule, executor="foreach"), Optimizer(alone[:1], rule, executor="foreach")
    optimizer.step()
    assert not optimizer.state
    train(optimizer, params[:1], range(3))
    train(single, alone[:1], range(3))
    assert same(params, alone)
    assert set(optimizer.state) == {params[0]}


@ON_ELEMENTS
@pytest.mark.parametrize("executor", ["reference", "foreach"])
def test_empty_and_single_numbers_are_stepped(rule: Rule, executor: str) -> None:
    params = parameters(shapes=[(0, 3), (), (2,), (0,)])
    (number,) = parameters(shapes=[(1,)])
    with torch.no_grad():
        number.copy_(params[1])
    optimizer, other = Optimizer(params, rule, executor=executor), Optimizer([number], rule, executor=executor)
    for step in range(3):
        train(optimizer, params, range(step, step + 1))
        assert params[1].grad is not None
        number.grad = params[1].grad.reshape(1)
        other.step()
    assert [tuple(p.shape) for p in params] == [(0, 3), (), (2,), (0,)]
    assert all(p.isfinite().all() for p in params)
    if not asks_about_the_model(rule):
        assert torch.equal(params[1].reshape(1), number)


def asks_about_the_model(rule: Rule) -> bool:
    """Whether a parameter's step depends on the others."""
    params, alone = parameters(), parameters()
    train(Optimizer(params, rule), params, range(2))
    train(Optimizer(alone[:1], rule), alone[:1], range(2))
    return not torch.equal(params[0], alone[0])


@RULES
@pytest.mark.parametrize("executor", ["reference", "foreach"])
def test_memory_that_is_not_contiguous(rule: Rule, executor: str) -> None:
    plain = parameters(shapes=[(4, 3), (3, 4)])
    wide = torch.zeros(3, 8)
    strided = [plain[0].detach().t().contiguous().t().requires_grad_(), wide[:, ::2]]
    with torch.no_grad():
        strided[1].copy_(plain[1])
    strided[1].requires_grad_()
    train(Optimizer(strided, rule, executor=executor), strided, range(3))
    train(Optimizer(plain, rule, executor=executor), plain, range(3))
    assert not any(p.is_contiguous() for p in strided)
    assert all(torch.allclose(p, q, rtol=1e-10, atol=1e-12) for p, q in zip(strided, plain, strict=True))
    assert wide[:, 1::2].abs().sum() == 0


@RULES
def test_types_of_one_group_are_stepped_each_in_its_own(rule: Rule) -> None:
    types = [torch.float64, torch.float32, torch.bfloat16]
    params = [drawn("start", 0, 0, (4, 3), dtype).requires_grad_() for dtype in types]
    optimizer = Optimizer(params, rule)
    for step in range(2):
        for p in params:
            p.grad = drawn("gradient", 0, step, (4, 3), p.dtype)
        optimizer.step()
    assert [p.dtype for p in params] == types
    moved = [p - drawn("start", 0, 0, (4, 3), p.dtype) for p in params]
    assert moved[0].abs().sum() > 0
    # A step may be smaller than what half precision can tell from the weights.
    assert all(move.isfinite().all() for move in moved)


@pytest.mark.parametrize("name", NAMESAKES)
def test_a_parameter_given_twice_is_warned_about_and_stepped_twice_as_by_torch(name: str) -> None:
    (p,), (q,) = parameters(shapes=[(4, 3)]), parameters(shapes=[(4, 3)])
    torchs: Any = torch_class(NAMESAKES[name])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        ours = getattr(optim, name)([p, p])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torchs([q, q])
    if "foreach" in theirs.defaults:
        theirs.param_groups[0]["foreach"] = False
    for step in range(3):
        set_gradients([p], step)
        ours.step()
        q.grad = p.grad
        if name == "SparseAdam":
            q.grad = q.grad.to_sparse(1) if q.grad is not None else None
        theirs.step()
    assert torch.allclose(p, q, rtol=1e-10, atol=1e-12)


def test_a_parameter_in_two_groups_is_refused_as_by_torch() -> None:
    (p,) = parameters(shapes=[(2,)])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.Adam([{"params": [p]}, {"params": [p]}])


@RULES
def test_a_group_added_after_steps_begins_its_own_count(rule: Rule) -> None:
    first, second = parameters()
    optimizer = Optimizer([first], rule, executor="foreach")
    train(optimizer, [first], range(2))
    optimizer.add_param_group({"params": [second]})
    train(optimizer, [first, second], range(2, 4))
    steps = [optimizer.state[p]["step"].item() for p in (first, second)]
    assert steps == [4, 2]


def test_names_must_be_given_for_all_or_none() -> None:
    first, second = parameters()
    optimizer = Optimizer([("first", first)], Adam())
    with pytest.raises(ValueError, match="with/without names"):
        optimizer.add_param_group({"params": [second]})


@RULES
def test_a_closure_gives_the_gradients_and_its_loss(rule: Rule) -> None:
    params, others = parameters(), parameters()
    optimizer, other = Optimizer(params, rule), Optimizer(others, rule)
    for _ in range(2):

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = sum((p**2).sum() for p in params)
            assert isinstance(loss, Tensor)
            loss.backward()
            return loss

        expected = sum((p**2).sum().item() for p in params)
        assert optimizer.step(closure).item() == pytest.approx(expected, rel=1e-12)
        for p in others:
            p.grad = 2 * p.detach()
        other.step()
    assert same(params, others)


@pytest.mark.parametrize("name", [name for name in EXPORTED if takes(getattr(optim, name), "maximize")])
def test_ascent_is_descent_on_the_negative(name: str) -> None:
    up, down = parameters(), parameters()
    ascent, descent = getattr(optim, name)(up, maximize=True), getattr(optim, name)(down)
    for step in range(3):
        set_gradients(up, step)
        for p, q in zip(up, down, strict=True):
            assert p.grad is not None
            q.grad = -p.grad
        ascent.step()
        descent.step()
    assert same(up, down)


@RULES
def test_hooks_see_the_step_and_the_state(rule: Rule) -> None:
    optimizer, params = trained(rule, steps=1)
    seen: list[str] = []
    handles = [
        optimizer.register_step_pre_hook(lambda *_: seen.append("before")),
        optimizer.register_step_post_hook(lambda *_: seen.append("after")),
        optimizer.register_state_dict_pre_hook(lambda *_: seen.append("saving")),
        optimizer.register_state_dict_post_hook(lambda *_: seen.append("saved")),
        optimizer.register_load_state_dict_pre_hook(lambda *_: seen.append("loading")),
        optimizer.register_load_state_dict_post_hook(lambda *_: seen.append("loaded")),
    ]
    train(optimizer, params, range(1, 2))
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["before", "after", "saving", "saved", "loading", "loaded"]
    for handle in handles:
        handle.remove()
    train(optimizer, params, range(2, 3))
    assert len(seen) == 6


@RULES
def test_a_learning_rate_that_is_a_tensor_stays_one_and_is_scheduled(rule: Rule) -> None:
    lr = float(rule.hyperparameters()["lr"])
    tensors, numbers = parameters(), parameters()
    given = Optimizer([{"params": tensors, "lr": torch.tensor(lr)}], rule)
    plain = Optimizer(numbers, rule)
    kept = given.param_groups[0]["lr"]
    schedules = [StepLR(optimizer, 1, gamma=0.5) for optimizer in (given, plain)]
    for step in range(3):
        train(given, tensors, range(step, step + 1))
        train(plain, numbers, range(step, step + 1))
        for schedule in schedules:
            schedule.step()
    assert given.param_groups[0]["lr"] is kept
    assert kept.item() == pytest.approx(lr / 8, rel=1e-12)
    assert all(torch.allclose(p, q, rtol=1e-12, atol=0.0) for p, q in zip(tensors, numbers, strict=True))


@pytest.mark.parametrize("lr", [torch.tensor([0.1, 0.2]), torch.tensor(-0.1), torch.tensor(float("nan"))])
def test_a_tensor_that_is_no_legal_rate_is_refused(lr: Tensor) -> None:
    with pytest.raises(InputError, match="lr must be a finite number of at least 0"):
        optim.Adam(parameters(), lr=lr)


@pytest.mark.parametrize(
    ("name", "hint"),
    [(name, hint) for name in NAMESAKES for hint in ("foreach", "fused") if takes(torch_class(NAMESAKES[name]), hint)],
)
@pytest.mark.parametrize("asked", [True, False])
def test_hints_about_speed_change_no_number(name: str, hint: str, asked: bool) -> None:
    hinted, plain = parameters(), parameters()
    train(getattr(optim, name)(hinted, **{hint: asked}), hinted, range(3))
    train(getattr(optim, name)(plain), plain, range(3))
    assert all(torch.allclose(p, q, rtol=1e-12, atol=0.0) for p, q in zip(hinted, plain, strict=True))


def test_hints_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(InputError, match="foreach=True and fused=True exclude each other"):
        optim.Adam(parameters(), foreach=True, fused=True)


def test_capturable_is_refused_at_construction() -> None:
    message = "capturable=True is not supported.*Leave it out"
    with pytest.raises(InputError, match=f"^{message}"):
        optim.Adam(parameters(), capturable=True)
    with pytest.raises(InputError, match=f"^In parameter group 0: {message}"):
        optim.Adam([{"params": parameters(), "capturable": True}])


@RULES
def test_ranges_are_checked_when_groups_are_made_and_not_when_a_schedule_writes(rule: Rule) -> None:
    params = parameters()
    with pytest.raises(InputError, match="In parameter group 0: .*lr must be a finite number of at least 0; got -1.0"):
        Optimizer([{"params": params, "lr": -1.0}], rule)
    optimizer = Optimizer(params[:1], rule)
    with pytest.raises(InputError, match="In parameter group 1: .*lr must be a finite number of at least 0; got -1.0"):
        optimizer.add_param_group({"params": params[1:], "lr": -1.0})
    assert len(optimizer.param_groups) == 1
    schedule = LambdaLR(optimizer, lambda step: -1.0)
    train(optimizer, params[:1], range(2))
    schedule.step()


@pytest.mark.parametrize(
    "keywords", [{"weight_decay": 0.1}, {"maximize": True}, {"weight_decay": 0.1, "maximize": True}]
)
def test_a_schedule_may_write_anything_under_decay_and_ascent_too(keywords: dict[str, Any]) -> None:
    params, right = parameters(), parameters()
    ours, theirs = optim.SGD(params, lr=0.1, **keywords), torch.optim.SGD(right, lr=0.1, **keywords)
    for optimizer, ps in ((ours, params), (theirs, right)):
        optimizer.param_groups[0]["lr"] = -0.1
        train(optimizer, ps, range(2))
    assert all(torch.allclose(p, q, rtol=1e-12, atol=0.0) for p, q in zip(params, right, strict=True))


def test_every_float_of_a_group_is_what_the_schedule_wrote() -> None:
    params, right = parameters(), parameters()
    ours, theirs = optim.Adam(params), torch.optim.Adam(right)
    for optimizer, ps in ((ours, params), (theirs, right)):
        schedule = OneCycleLR(optimizer, 0.1, total_steps=6)
        for step in range(5):
            optimizer.param_groups[0].update(eps=10.0**-step, weight_decay=0.1 * step)
            train(optimizer, ps, range(step, step + 1))
            schedule.step()
    assert all(torch.allclose(p, q, rtol=1e-10, atol=0.0) for p, q in zip(params, right, strict=True))


@RULES
def test_repr_names_the_rules_values(rule: Rule) -> None:
    optimizer, _ = trained(rule, steps=0)
    for key in optimizer.param_groups[0]:
        assert key in ("params", "param_names") or f"    {key}: " in repr(optimizer)


def test_a_step_that_fails_leaves_no_half_of_a_state() -> None:
    params, others = parameters(), copies(parameters())
    optimizer, other = (
        Optimizer(params, SGD(momentum=0.9, dampening=0.5)),
        Optimizer(others, SGD(momentum=0.9, dampening=0.5)),
    )
    set_gradients(params, 0)
    params[1].grad = params[1].detach().to_sparse()
    with pytest.raises(InputError, match="takes no sparse gradient"):
        optimizer.step()
    assert not optimizer.state
    train(optimizer, params, range(2))
    train(other, others, range(2))
    assert same(params, others)

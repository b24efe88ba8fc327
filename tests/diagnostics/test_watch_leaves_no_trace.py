import copy
import pickle
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode, _get_current_function_mode, _get_current_function_mode_stack

from fallline.diagnostics import Watch

from .networks import small, train


def test_other_steps_have_no_hooks_on_the_model():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    Watch(model, optimizer, every=3)
    hooked = []
    for _ in range(4):
        hooked.append(bool(model._forward_hooks))
        train(model, optimizer, 1)
    assert hooked == [True, False, False, True]
    assert not any(module._forward_hooks for module in model)


def test_copies_of_a_watched_model_are_not_watched():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=1)
    train(model, optimizer, 1)
    assert b"Watch" not in pickle.dumps(model)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other(torch.randn(50, 64))
    copy.deepcopy(optimizer)
    pickle.loads(pickle.dumps(optimizer))
    assert len(watch.columns()["step"]) == 1


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_in_the_model_leaves_nothing_behind(failure):
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=1)

    def fail(*_):
        raise failure

    handle = model[2].register_forward_hook(fail)
    with pytest.raises(failure):
        train(model, optimizer, 1)
    handle.remove()
    train(model, optimizer, 1)
    assert _get_current_function_mode() is None
    assert watch.columns()["rows/1"] == [16]
    assert not any(module._forward_hooks for module in model)


@pytest.mark.parametrize("caught", ["inside", "between", "outside"])
def test_a_watch_that_is_closed_after_ctrl_c_leaves_the_stack_of_modes_as_it_was(caught):
    class Outer(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    def interrupt(*_):
        raise KeyboardInterrupt

    model, x = small(), torch.randn(4, 64)
    watch = Watch(model, torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model[2].register_forward_pre_hook(interrupt)
    outer, inner, later = Outer(), Outer(), Outer()

    def run(here):
        with pytest.raises(KeyboardInterrupt) if here else nullcontext():
            model(x)

    def closed(expected):
        with later:
            watch.close()
            assert _get_current_function_mode_stack() == [*expected, later]
        assert _get_current_function_mode_stack() == expected

    with pytest.raises(KeyboardInterrupt) if caught == "outside" else nullcontext(), outer:
        with pytest.raises(KeyboardInterrupt) if caught == "between" else nullcontext(), inner:
            run(caught == "inside")
            closed([outer, inner])
        if caught == "between":
            closed([outer])
    closed([])
    assert not any(m._forward_hooks or len(m._forward_pre_hooks) > (m is model[2]) for m in model.modules())


def test_transformed_and_compiled_models_are_not_looked_into():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    watch = Watch(model, optimizer := torch.optim.SGD(model.parameters(), lr=0.1), every=1)

    def loss(weights, x):
        return torch.func.functional_call(model, weights, (x,)).square().mean()

    weights = dict(model.named_parameters())
    torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, torch.randn(5, 8, 3))
    compiled = torch.compile(model, backend="eager")
    for _ in range(2):
        optimizer.zero_grad()
        compiled(torch.randn(8, 3)).square().mean().backward()
        optimizer.step()
    assert len(watch.columns()["gradient_norm/0"]) == 2
    part = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    part[1].compile(backend="eager")
    watch = Watch(part, optimizer := torch.optim.SGD(part.parameters(), lr=0.1), every=1)
    part(torch.randn(8, 3)).mean().backward()
    optimizer.step()
    assert "units/1" not in watch.columns()

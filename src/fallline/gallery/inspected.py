"""What the torch that is installed, and fallline, do where the tutorials say otherwise.

Each function returns what was measured, and whether it is what the table says.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import fallline as fl
from fallline.gallery.entry import Setting

SEEDS = 3
Inspection = tuple[str, bool]


class Studies:
    """The trainings that some rows need, each made when it is first asked for."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @cached_property
    def rates(self) -> "dict[float, fl.Results]":
        """Digits enlarged to MNIST's size at lr 1 and 0.3."""
        from fallline.gallery.enlarged import enlarged_digits

        return {
            lr: self._train(f"rate-{lr:g}", enlarged_digits(), fl.rules.SGD(lr=lr), epochs=5, evaluate_every=2)
            for lr in (1.0, 0.3)
        }

    @cached_property
    def splits(self) -> "dict[str, fl.Results]":
        """Digits trained on the training rows, and on the very rows of the test."""
        problem = fl.problems.load("digits")
        rows = {"training": problem.train, "test": problem.test}
        return {
            name: self._train(name, replace(problem, train=train), fl.rules.Adam(lr=0.01), steps=400)
            for name, train in rows.items()
        }

    def _train(self, name: str, problem: "fl.Problem", rule: "fl.Rule", **budget: Any) -> "fl.Results":
        return fl.compare(
            problem,
            [rule],
            protocol="sweep",
            batch_sizes=[64],
            **budget,
            seeds=SEEDS,
            validation=0,
            threads=1,
            store=self.setting.store(f"tutorials-and-torch-{name}"),
            progress=self.setting.progress,
        )


def default(optimizer: str, name: str, expected: Any) -> Inspection:
    """The default of an optimizer's argument, in torch and in fallline."""
    import torch

    classes = (getattr(torch.optim, optimizer), getattr(fl.optim, optimizer))
    found = [inspect.signature(one).parameters[name].default for one in classes]
    return f"{found[0]} in torch, {found[1]} in fallline", found == [expected, expected]


def rmsprop_name(_: Studies) -> Inspection:
    """Which spelling of RMSprop exists."""
    import torch

    from fallline.study import contender

    in_torch = [name for name in ("RMSProp", "RMSprop") if hasattr(torch.optim, name)]
    spelled_so = contender("RMSProp").label
    return f"torch.optim has {', '.join(in_torch)}; `fallline compare -o RMSProp` is {spelled_so}", (
        in_torch == ["RMSprop"] and spelled_so == "rmsprop"
    )


def dampening_name(_: Studies) -> Inspection:
    """What SGD says to `dempening`."""
    import torch

    misspelled: dict[str, Any] = {"lr": 0.1, "dempening": 0.0}
    told = [
        _raised(partial(make, [torch.zeros(1, requires_grad=True)], **misspelled))
        for make in (torch.optim.SGD, fl.optim.SGD)
    ]
    so = all(message.startswith("TypeError") and "'dempening'" in message for message in told)
    return told[0], so and "dampening=0" in told[1]


def dropout_name(_: Studies) -> Inspection:
    """Which names of dropout exist, and which of them still drop after `eval()`."""
    import torch
    from torch.nn import functional

    x = torch.ones(3)
    still = torch.equal(torch.nn.Dropout(1.0).eval()(x), x)
    dropping = torch.equal(functional.dropout(x, 1.0), 0 * x)
    absent = not hasattr(torch.nn, "drop_out") and not hasattr(functional, "drop_out")
    return (
        f"drop_out {'absent' if absent else 'there'}; after eval() nn.Dropout drops: {not still}, "
        f"functional.dropout drops: {dropping}",
        absent and still and dropping,
    )


def sampler_and_shuffle(_: Studies) -> Inspection:
    """What a DataLoader says to a sampler and shuffle together."""
    from torch.utils.data import DataLoader

    rows: Any = [0.0, 1.0]
    message = _raised(lambda: DataLoader(rows, sampler=[1, 0], shuffle=True))
    return message, message == "ValueError: sampler option is mutually exclusive with shuffle"


def halved(_: Studies) -> Inspection:
    """The gradient of MSELoss, and that of half the squared error."""
    import torch

    w = torch.tensor(3.0, requires_grad=True)
    label = torch.tensor(1.0)
    (whole,) = torch.autograd.grad(torch.nn.MSELoss()(w, label), w)
    (half,) = torch.autograd.grad((w - label) ** 2 / 2, w)
    return f"gradient at an error of 2: {whole:g} of MSELoss, {half:g} of the half", (float(whole), float(half)) == (
        4,
        2,
    )


def eps(_: Studies) -> Inspection:
    """Adagrad's first step at a slope of sqrt(eps), with eps outside the root and inside."""
    import torch

    steps = []
    for make, rest in (
        (torch.optim.Adagrad, {}),
        (fl.optim.Adagrad, {}),
        (fl.optim.Adagrad, {"eps_inside_root": True}),
    ):
        p = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        p.grad = torch.full_like(p, 1e-3)
        make([p], lr=1.0, eps=1e-6, **rest).step()
        steps.append(-float(p.detach()))
    outside, inside = 1e-3 / (1e-3 + 1e-6), 1e-3 / math.sqrt(1e-6 + 1e-6)
    right = all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(steps, (outside, outside, inside), strict=True))
    own = default("Adagrad", "eps", 1e-10)[1]
    return (
        f"first step at slope 0.001, eps 1e-6: {steps[0]:.6f} in torch, {steps[2]:.6f} with eps inside",
        right and own,
    )


def test_rows(studies: Studies) -> Inspection:
    """How much lower the test loss is after training on the test rows."""
    honest, flattered = ([r.final("test_loss") for r in results.records] for results in studies.splits.values())
    factors = sorted(a / b for a, b in zip(honest, flattered, strict=True))
    return f"test loss {factors[0]:.0f} to {factors[-1]:.0f} times too low in {SEEDS} seeds", factors[0] > 10


def rate_one(studies: Studies) -> Inspection:
    """The loss at lr 1 and the hidden units that it kills; and how often the loss rises at lr 0.3, which learns."""
    from fallline.gallery.enlarged import enlarged_digits

    results = studies.rates[1.0]
    losses = [r.curve["train_loss"] for r in results.records]
    highest, ends = [max(run) for run in losses], [run[-1] for run in losses]
    bouncing = [run.curve["train_loss"] for run in studies.rates[0.3].records]
    rises = [sum(after > before for before, after in pairwise(run)) for run in bouncing]
    trained: Any = results.best().model()
    dead = int((trained[:2](enlarged_digits().train[0]) == 0).all(dim=0).sum())
    return (
        f"highest loss {min(highest):.0f} to {max(highest):.0f}, last {min(ends):.3f} to {max(ends):.3f}, "
        f"{SEEDS} seeds; {dead} of 200 hidden units dead in the best; at lr 0.3 the loss rises at {min(rises)} to "
        f"{max(rises)} evaluations and ends at {max(run[-1] for run in bouncing):.2f} or below",
        min(highest) > 10
        and all(2.29 <= end <= 2.32 for end in ends)
        and dead >= 190
        and min(rises) >= 10
        and max(run[-1] for run in bouncing) < 0.5,
    )


def _raised(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"

"""Functions and objects as people write losses, models and optimizers: what differs, what does not last."""

import functools
import time
import types
import uuid
import warnings
from decimal import Decimal
from enum import Enum
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

RATE = 1.0
seen = 0


def absolute(output, target):
    return (output - target).abs().mean()


def squared(output, target):
    return RATE * (output - target).square().mean()


def weighted(weight):
    return lambda output, target: weight * (output - target).square().mean()


def helped(helper):
    return lambda output, target: helper(output, target)


def counted():
    calls = 0
    listed = []

    def loss(output, target):
        global seen
        nonlocal calls
        calls += 1
        seen += 1
        listed.append(calls)
        return (output - target).square().mean()

    return loss


class Loss:
    """Counts its calls and knows when it was made."""

    def __init__(self, weight):
        self.weight = weight
        self.calls = 0
        self.made = time.perf_counter()

    def __call__(self, output, target):
        self.calls += 1
        return self.mean(output, target)

    def mean(self, output, target):
        return self.weight * (output - target).square().mean()


class Further(Loss):
    pass


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, output, target):
        return self.scaled * (output - target).abs().mean()

    @property
    def scaled(self):
        return 2 * self.weight


class Smoothing(nn.CrossEntropyLoss):
    """A library's layer of one's own kind."""

    def forward(self, output, target):
        return super().forward(output, target)


class Answering:
    """Has every attribute, each another, and fails for some."""

    def __init__(self, error):
        self.error = error

    def __getattr__(self, name):
        if self.error:
            raise self.error(name)
        return object()

    def __call__(self, output, target):
        return self.something


class Trainer:
    """Writes where the time says, which its loss does not read."""

    def __init__(self, weight=1.0):
        self.folder = f"runs/{time.perf_counter()}"
        self.weight = weight
        self.steps = 0

    def report(self):
        return self.folder

    def loss(self, output, target):
        self.count()
        return self.weight * (output - target).abs().mean()

    def count(self):
        self.steps += 1


class Node:
    def __init__(self, following):
        self.following = following

    def walk(self):
        return self.following


def chain(length):
    found = None
    for _ in range(length):
        found = Node(found)
    return lambda output, target: found.walk()


def configured(**settings):
    settings = types.SimpleNamespace(**settings)
    return lambda output, target: settings.delta * (output - target).abs().mean()


SHARED = types.SimpleNamespace(weight=2.0)
ALSO, AGAIN, ONCE_MORE = SHARED, SHARED, SHARED


def reached_by_many_names(output, target):
    return (SHARED.weight + ALSO.weight + AGAIN.weight + ONCE_MORE.weight) * (output - target).abs().mean()


def keyed(table):
    return lambda output, target: table[0] * (output - target).abs().mean()


def shared_settings(**given):
    settings = types.SimpleNamespace(kind="mse", **given)

    def helper(output, target):
        return settings.delta * (output - target).abs().mean()

    return lambda output, target: helper(output, target) if settings.kind == "mse" else 0


def passed_settings(**given):
    settings = types.SimpleNamespace(**given)

    def delta(of):
        return of.delta

    return lambda output, target: delta(settings) * (output - target).abs().mean()


def whole_settings(**given):
    settings = types.SimpleNamespace(**given)
    return lambda output, target: vars(settings)["delta"] * (output - target).abs().mean()


def listing(**table):
    def loss(output, target):
        parts = []
        parts.append(table["delta"] * (output - target).abs().mean())
        return torch.add(sum(parts), 0)

    return loss


def of_class(weight):
    class Own:
        delta = weight

        def __call__(self, output, target):
            return self.delta * (output - target).abs().mean()

        @classmethod
        def of(cls, output, target):
            return cls.delta * (output - target).abs().mean()

    return Own


def inheriting(weight):
    class Base(nn.Module):
        def forward(self, output, target):
            return weight * (output - target).abs().mean()

    class Own(Base):
        def forward(self, output, target):
            return super().forward(output, target)

    return Own()


class Kind(Enum):
    ABSOLUTE = partial(F.l1_loss)
    SQUARED = partial(F.mse_loss)


def timed(function):
    @functools.wraps(function)
    def wrapped(*inputs):
        wrapped.calls += 1
        return function(*inputs)

    wrapped.calls = 0
    return wrapped


def accumulating():
    seen = torch.zeros(())

    def loss(output, target):
        seen.add_(1)
        return (output - target).abs().mean()

    return loss


class Run:
    """Knows when it began and what it is called, and tells both as it runs."""

    def __init__(self):
        self.start = time.time()
        self.name = f"run-{uuid.uuid4().hex}"

    def loss(self, output, target):
        print(self.name, time.time() - self.start)
        return (output - target).abs().mean()


def from_table(**table):
    return lambda output, target: table["delta"] * (output - target).abs().mean()


def scripted(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(function)


def totalled():
    state = types.SimpleNamespace(total=0.0, seen=[])

    def helper(loss):
        state.total += float(loss)
        state.seen.append(loss)

    def loss(output, target):
        found = (output - target).abs().mean()
        helper(found)
        return found + 0 * state.total

    return loss


class Net(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.activation = activation
        self.layer = nn.Linear(1, 1)
        with torch.no_grad():
            self.layer.weight.fill_(1.0)
            self.layer.bias.fill_(1.0)

    def forward(self, x):
        return self.activation(self.layer(x))


def recursive(output, target):
    return other(output, target)


def other(output, target):
    return recursive(output, target)


DIFFERENT = [
    F.cross_entropy,
    F.mse_loss,
    partial(F.cross_entropy, label_smoothing=0.1),
    partial(F.cross_entropy, label_smoothing=0.2),
    nn.CrossEntropyLoss(),
    nn.CrossEntropyLoss(label_smoothing=0.1),
    nn.CrossEntropyLoss(weight=torch.ones(3)),
    nn.CrossEntropyLoss(weight=torch.zeros(3)),
    absolute,
    squared,
    weighted(1.0),
    weighted(2.0),
    weighted(torch.ones(1)),
    weighted(torch.zeros(1)),
    weighted(np.ones(1)),
    weighted((1.0, 2.0)),
    helped(absolute),
    helped(squared),
    Loss(1.0),
    Loss(2.0),
    Further(1.0),
    Loss(1.0).mean,
    recursive,
    Net(F.relu),
    Net(torch.tanh),
    Net(nn.Tanh()),
    lambda: nn.Tanh(),
    lambda: nn.ReLU(),
    Net,
    Loss,
    torch.optim.Adam,
    Slotted(1.0),
    Slotted(2.0),
    Smoothing(),
    Smoothing(label_smoothing=0.1),
    Trainer(1.0).loss,
    Trainer(2.0).loss,
    configured(delta=1.0),
    configured(delta=2.0),
    from_table(delta=1.0),
    from_table(delta=2.0),
    weighted(np.float32(3)),
    weighted(np.float32(4)),
    weighted(Decimal(1)),
    weighted(Decimal(2)),
    weighted(frozenset({"a", "b"})),
    weighted(torch.float32),
    weighted(torch.float64),
    functools.lru_cache(absolute),
    functools.lru_cache(squared),
    scripted(F.mse_loss),
    scripted(F.l1_loss),
    *(
        make(delta=delta)
        for make in (shared_settings, passed_settings, whole_settings, listing)
        for delta in (1.0, 2.0)
    ),
    *(of_class(delta)() for delta in (1.0, 2.0)),
    *(of_class(delta).of for delta in (1.0, 2.0)),
    *(inheriting(delta) for delta in (1.0, 2.0)),
    weighted(Kind.ABSOLUTE),
    weighted(Kind.SQUARED),
    timed(absolute),
    timed(squared),
]

UNLASTING = [
    weighted(frozenset({F.relu, F.gelu})),
    weighted(np.array(["c", "d"], dtype=object)),
    weighted(object()),
    Answering(None),
    Answering(KeyError),
    helped(Answering(KeyError)),
    helped(Answering(RuntimeError)),
    Trainer().loss,
    reached_by_many_names,
    Run().loss,
    keyed({object(): 1.0, 0: 2.0}),
]

WITHOUT_BYTES = [
    weighted(torch.eye(3).to_sparse()),
    weighted(torch.ones(2, dtype=torch.complex64).conj()),
    weighted(torch.ones(2, device="meta")),
    helped(nn.LazyLinear(2)),
    nn.Sequential(nn.LazyLinear(2)),
    helped(torch.Tensor.mean),
    helped(str.lower),
    helped(i for i in range(3)),
    chain(2000),
]

EVERYTHING = [*DIFFERENT, *UNLASTING, *WITHOUT_BYTES]

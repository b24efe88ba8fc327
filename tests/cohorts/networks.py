"""Small problems in float64 whose trainings a population is held against, one kind of layer each."""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.utils.parametrizations import weight_norm

from fallline.problems import Problem, accuracy, prepare

CPU = torch.device("cpu")
ROWS = 22
"""Training and validation rows: with batches of 5 the last is ragged."""


def rows(*shape, seed=0):
    return torch.randn(ROWS, *shape, generator=torch.Generator().manual_seed(seed))


def labels(classes=3):
    return torch.randint(classes, (ROWS,), generator=torch.Generator().manual_seed(1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head(self.layer(self.embedding(tokens)).mean(dim=1))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


class Cells(nn.Module):
    """Steps through time by itself."""

    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(4, 6), nn.GRUCell(6, 5, bias=False)
        self.tanh, self.relu = nn.RNNCell(5, 4), nn.RNNCell(4, 3, nonlinearity="relu")

    def forward(self, x):
        state, others = None, [None, None, None]
        for step in x.unbind(1):
            state = self.lstm(step, state)
            found = state[0]
            for place, cell in enumerate((self.gru, self.tanh, self.relu)):
                found = others[place] = cell(found, others[place])
        return found


class FunctionalDropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.two(functional.dropout(self.one(x).relu(), 0.3, self.training))


class PartlyFrozen(nn.Module):
    """With a parameter that is frozen, one that the loss does not reach, and one of a single number."""

    def __init__(self):
        super().__init__()
        self.frozen, self.idle, self.last = nn.Linear(4, 6), nn.Linear(4, 4), nn.Linear(6, 3)
        self.scale = nn.Parameter(torch.tensor(1.5))
        self.frozen.requires_grad_(False)

    def forward(self, x):
        return self.scale * self.last(self.frozen(x).tanh())


def convolution():
    return nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


def perceptron():
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def line():
    return nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1))


NETWORKS = {
    "perceptron": (perceptron, (4,)),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)),
        (4,),
    ),
    "dropout": (lambda: nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.4), nn.Tanh(), nn.Linear(8, 3)), (4,)),
    "functional dropout": (FunctionalDropout, (4,)),
    "convolution": (convolution, (1, 6, 6)),
    "recurrent": (Recurrent, (5, 4)),
    "cells": (Cells, (3, 4)),
    "partly frozen": (PartlyFrozen, (4,)),
    "weight norm": (
        lambda: nn.Sequential(weight_norm(nn.Linear(4, 6)), nn.Tanh(), weight_norm(nn.Linear(6, 3), dim=None)),
        (4,),
    ),
    "layer norm": (lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 3)), (4,)),
}


def classes(name):
    """A problem with three classes, prepared in torch's default type."""
    if name == "attention":
        tokens = torch.randint(7, (ROWS, 5), generator=torch.Generator().manual_seed(2))
        return _prepared(Attention, cross_entropy, (tokens, labels()))
    model, shape = NETWORKS[name]
    return _prepared(model, cross_entropy, (rows(*shape), labels()))


def regression():
    x = rows(2)
    return prepare(Problem(model=line, loss=mse_loss, train=(x, x.prod(dim=1, keepdim=True)), name="line"), 0, CPU)


def _prepared(model, loss, data):
    problem = Problem(model=model, loss=loss, train=data, metrics={"accuracy": accuracy}, name="net")
    return prepare(problem, 0, CPU, validation=0.2)

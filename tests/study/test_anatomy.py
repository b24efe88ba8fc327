"""What a step of a member by itself is made of."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import fallline as fl
from fallline.problems import prepare
from fallline.rules import Adam
from fallline.study.anatomy import Anatomy
from fallline.training import Member

ROWS, WIDTH, CLASSES = 96, 20, 3


class Reader(nn.Module):
    """An LSTM, for which torch has an operation on the CPU that it has no rule to map by."""

    def __init__(self):
        super().__init__()
        self.reader = nn.LSTM(WIDTH // 4, 4, batch_first=True)
        self.head = nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.head(self.reader(x.view(-1, 4, WIDTH // 4))[0][:, -1])


def anatomy(model, batch_size, loss=cross_entropy, **options):
    data = TensorDataset(torch.randn(ROWS, WIDTH), torch.arange(ROWS) % CLASSES)
    train = data if batch_size else DataLoader(data, batch_size=32)
    problem = prepare(fl.Problem(model, loss, train, **options), 0, torch.device("cpu"))
    return Anatomy.of(Member("problem", "adam", Adam(), {"lr": 0.1}, batch_size=batch_size), problem, 0)


@pytest.mark.parametrize("batch_size", [1, 16, ROWS, None])
def test_of_every_batch_size(batch_size):
    found = anatomy(lambda: nn.Linear(WIDTH, CLASSES), batch_size)
    assert found.step.growing >= 0
    # Of a DataLoader's batches nobody knows.
    assert (found.step.fixed > 0) == (batch_size is not None)
    assert found.evaluating > 0
    assert found.operations > 10
    # Adam makes at least what it keeps, of every weight.
    assert found.bytes > 2 * 4 * (WIDTH + 1) * CLASSES
    assert not found.unmapped


class OneSize(nn.Linear):
    """Made for batches of 32 and for evaluations."""

    def forward(self, x):
        assert len(x) == 32 or not self.training
        return super().forward(x)


def test_where_no_other_batch_can_be_had_all_seconds_grow_with_rows():
    found = anatomy(lambda: OneSize(WIDTH, CLASSES), 32, drop_last=True)
    assert found.step.fixed == 0
    # Four times as many rows would be more than there are, and no epoch has a batch of so many.
    assert anatomy(lambda: nn.Linear(WIDTH, CLASSES), 32, drop_last=True).step.fixed > 0


def test_what_makes_a_loss_is_no_part_of_a_step():
    loss = nn.CrossEntropyLoss(weight=torch.ones(CLASSES))
    assert not anatomy(lambda: nn.Linear(WIDTH, CLASSES), 16, loss).unmapped


def test_operations_without_a_rule_are_named():
    assert "aten::mkldnn_rnn_layer" in anatomy(Reader, 16).unmapped

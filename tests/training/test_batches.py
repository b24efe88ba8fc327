from itertools import islice

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, Dataset, IterableDataset

from fallline.errors import InputError
from fallline.problems import Problem, prepare
from fallline.rules import SGD
from fallline.training import Member
from fallline.training.batches import Place, batches

X = torch.arange(10.0)[:, None]


class Noisy(Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i] + torch.rand(1), X[i]


class Uneven(IterableDataset):
    """Epochs of 3 and 2 batches in turn."""

    epoch = 0

    def __iter__(self):
        self.epoch += 1
        yield from zip(X, X, strict=True) if self.epoch % 2 else zip(X[:6], X[:6], strict=True)


SOURCES = {
    "resident": lambda: (X, X),
    "streamed": Noisy,
    "loader": lambda: DataLoader(Noisy(), batch_size=4, shuffle=True),
}


def setting(train, order="reshuffle", **changes):
    validation = (X, X) if isinstance(train, DataLoader) else 0.0
    problem = Problem(lambda: nn.Linear(1, 1), mse_loss, train, validation=validation, **changes)
    size = None if isinstance(train, DataLoader) else 4
    member = Member("p", "sgd", SGD(), SGD().hyperparameters(), batch_size=size, order=order)
    return prepare(problem, 0, torch.device("cpu")), member


def read(problem, member, begin, count):
    return [(place, batch) for place, batch in islice(batches(problem, member, 5, begin), count)]


@pytest.mark.parametrize("order", ["reshuffle", "fixed"])
@pytest.mark.parametrize("kind", SOURCES)
def test_batches_begun_anywhere_are_those_that_would_have_come(kind, order):
    problem, member = setting(SOURCES[kind](), order)
    whole = read(problem, member, Place(), 8)
    assert [place for place, _ in whole] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    for number, (place, _) in enumerate(whole):
        torch.manual_seed(number)
        rest = read(problem, member, place, 7 - number)
        assert [p for p, _ in rest] == [p for p, _ in whole[number + 1 :]]
        for (_, mine), (_, theirs) in zip(rest, whole[number + 1 :], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.mark.parametrize("kind", ["resident", "streamed"])
def test_without_the_last_batch_an_epoch_is_the_full_ones(kind):
    whole = read(*setting(SOURCES[kind]()), Place(), 6)
    dropping = setting(SOURCES[kind](), drop_last=True)
    shorter = read(*dropping, Place(), 4)
    assert [place for place, _ in shorter] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    for (_, mine), (_, theirs) in zip(shorter, [*whole[:2], *whole[3:5]], strict=True):
        assert torch.equal(mine[1], theirs[1])
    assert [place for place, _ in read(*dropping, Place(0, 2), 2)] == [(1, 1), (1, 2)]


def test_rows_in_memory_are_skipped_and_not_read(monkeypatch):
    problem, member = setting((X, X))
    reads = []
    select = type(problem.train).select
    monkeypatch.setattr(type(problem.train), "select", lambda self, chosen: reads.append(1) or select(self, chosen))
    read(problem, member, Place(3, 2), 1)
    assert len(reads) == 1


def test_an_epoch_without_a_batch_is_refused_but_not_the_end_of_one():
    problem, member = setting(DataLoader(Noisy(), batch_size=4))
    assert [place for place, _ in read(problem, member, Place(0, 3), 1)] == [(1, 1)]
    problem.train.loader = DataLoader([])
    with pytest.raises(InputError, match="no batch in epoch 3"):
        read(problem, member, Place(2, 0), 1)

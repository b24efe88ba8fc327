"""Members of a population that turn out on the way not to be mapped."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import fallline as fl
from fallline.study import Silent
from tests.study.studies import compare, curves, same


class Sentences(Dataset):
    """Rows of 5 words, and a few of 7."""

    def __len__(self):
        return 40

    def __getitem__(self, i):
        generator = torch.Generator().manual_seed(i)
        return torch.randn(5 if i < 36 else 7, 3, generator=generator), torch.tensor(float(i % 2))


class Mean(nn.Linear):
    def forward(self, x):
        return super().forward(x).mean((1, 2))


def padded(rows):
    return nn.utils.rnn.pad_sequence([x for x, _ in rows], batch_first=True), torch.stack([y for _, y in rows])


def sentences():
    data = DataLoader(Sentences(), batch_size=4, shuffle=True, collate_fn=padded)
    return fl.Problem(lambda: Mean(3, 1), nn.MSELoss(), data, validation=data, name="sentences")


GIVEN = {"batch_sizes": None, "validation": None}


@pytest.mark.parametrize("ended", [1, 4, 5])
def test_a_study_whose_population_fell_apart_goes_on(tmp_path, ended):
    class Stops(Silent):
        left = ended

        def end(self, record, skipped):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(tmp_path, sentences(), runner="population", progress=Stops(), **GIVEN)
    whole = compare(tmp_path, sentences(), store=tmp_path / "loop", runner="loop", **GIVEN)
    again = compare(tmp_path, sentences(), runner="population", **GIVEN)
    assert same(curves(again), curves(whole))


def test_batches_padded_otherwise_for_each_seed_train_in_the_loop(tmp_path):
    told = []

    class Watching(Silent):
        def say(self, message):
            told.append(message)

    problem, given = sentences(), GIVEN
    loop = compare(tmp_path, problem, store=tmp_path / "loop", runner="loop", **given)
    found = compare(tmp_path, problem, runner="population", progress=Watching(), **given)
    assert same(curves(found), curves(loop))
    assert "8 members on sentences begin anew, one by one: batches of its seeds differ in shape" in told[0]

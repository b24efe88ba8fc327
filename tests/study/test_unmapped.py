"""Members of a population that turn out on the way not to be mapped."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import fallline as fl
from fallline.errors import InputError
from fallline.study import Silent, read_results
from tests.study.studies import compare, curves, line, same

pytestmark = pytest.mark.usefixtures("own_cache")


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
    assert any("begin anew, one by one: batches of its seeds differ in shape" in why for why in found.plan["reasons"])
    assert found.plan == read_results(tmp_path / "s").plan
    assert "8 members on sentences begin anew, one by one: batches of its seeds differ in shape" in told[0]


class Averaging(nn.Linear):
    """Assigns its buffer anew, in training alone or always."""

    def __init__(self, always):
        super().__init__(1, 1)
        self.register_buffer("mean", torch.zeros(1))
        self.always = always

    def forward(self, x):
        if self.training or self.always:
            self.mean = 0.5 * self.mean + 0.5 * x.mean(0).detach()
        return super().forward(x - self.mean)


def test_buffers_that_are_assigned_anew_are_kept(tmp_path):
    problem = line(model=lambda: Averaging(always=False))
    loop = compare(tmp_path, problem, store=tmp_path / "loop", runner="loop")
    found = compare(tmp_path, problem, runner="population")
    for one, other in zip(loop.records, found.records, strict=True):
        assert other.curve["validation_loss"] == pytest.approx(one.curve["validation_loss"], rel=1e-5)
    assert float(found.best().model().mean) == pytest.approx(float(loop.best().model().mean), rel=1e-5)
    assert float(found.best().model().mean) != 0


def test_buffers_that_evaluations_assign_anew_are_refused(tmp_path):
    with pytest.raises(InputError, match="it assigns mean anew when it is evaluated"):
        compare(tmp_path, line(model=lambda: Averaging(always=True)), runner="population")


def test_another_runner_than_a_study_began_with_is_told(tmp_path):
    told = []

    class Watching(Silent):
        def say(self, message):
            told.append(message)

    compare(tmp_path, runner="population")
    compare(tmp_path, runner="population", progress=Watching())
    assert told == []
    compare(tmp_path, runner="loop", progress=Watching())
    assert "began with the runner population and 1 thread, and goes on by that plan" in told[0]

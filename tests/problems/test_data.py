import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from fallline.errors import InputError
from fallline.problems.data import source
from fallline.problems.kept import digest, keep
from fallline.problems.sources import Loader, Resident, Stream, Streamed

CPU = torch.device("cpu")
FRAME = pd.DataFrame({"a": [0.5, 1.5], "b": [0, 1]})


class Squares(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        return torch.tensor([float(i)]), i * i


class Jittered(Squares):
    def __getitem__(self, i):
        x, y = super().__getitem__(i)
        return x + torch.rand(1) + np.random.rand(), y


def batches(data, batch_size=4, order=None, step=0):
    order = torch.arange(10) if order is None else order
    return list(data.epoch(batch_size, order, Stream(0, "epoch", 0, step)))


def test_tensors_arrays_dicts_and_tensor_datasets_stay_on_the_device():
    x, y = torch.arange(10.0)[:, None], torch.arange(10)
    for data in (
        (x, y),
        [x, y],
        (x.numpy(), y.numpy()),
        TensorDataset(x, y),
        Squares(),
    ):
        found = source(data, "data", CPU)
        assert isinstance(found, Resident)
        assert found.rows == 10
        assert [len(batch[0]) for batch in batches(found)] == [4, 4, 2]
    named = source({"x": x, "y": y}, "data", CPU)
    assert set(batches(named)[0]) == {"x", "y"}


def test_arrays_that_cannot_be_written_are_copied():
    x = np.arange(10, dtype=np.float32)[:, None]
    x.flags.writeable = False
    (tensor,) = source((x,), "data", CPU).tensors
    tensor[0] = 5
    assert x[0] == 0
    assert torch.equal(tensor[1:], torch.arange(1.0, 10)[:, None])


def test_numpy_floats_become_the_default_dtype_and_whole_numbers_int64():
    found = source((np.zeros((3, 2)), np.zeros(3, np.int8)), "data", CPU)
    assert [leaf.dtype for leaf in found.tensors] == [torch.float32, torch.int64]


def test_a_batch_follows_the_given_order():
    found = source((torch.arange(10.0),), "data", CPU)
    order = torch.tensor([3, 1, 4, 5, 9, 2, 6, 8, 7, 0])
    assert torch.cat([batch[0] for batch in batches(found, 4, order)]).tolist() == order.tolist()


def test_a_random_transform_is_found_and_streamed_under_keyed_generators():
    found = source(Jittered(), "data", CPU)
    assert isinstance(found, Streamed)
    torch.manual_seed(1)
    first = batches(found)
    torch.manual_seed(2)
    again = batches(found)
    later = batches(found, step=1)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][0], later[0][0])


def test_streaming_leaves_the_global_generators_alone():
    found = source(Jittered(), "data", CPU)
    torch.manual_seed(7)
    np.random.seed(7)
    expected = torch.rand(1), np.random.rand()
    torch.manual_seed(7)
    np.random.seed(7)
    batches(found)
    assert (torch.rand(1), np.random.rand()) == expected


def test_drawing_between_the_batches_does_not_change_them():
    found = source(Jittered(), "data", CPU)
    plain = batches(found)
    disturbed = []
    for batch in found.epoch(4, torch.arange(10), Stream(0, "epoch")):
        disturbed.append(batch)
        torch.rand(5)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(plain, disturbed, strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_dataloader_keeps_its_own_ways_under_keyed_generators(workers):
    loader = DataLoader(Jittered(), batch_size=3, shuffle=True, drop_last=True, num_workers=workers)
    found = source(loader, "data", CPU)
    assert isinstance(found, Loader)
    assert found.rows is None
    assert found.steps(64) == 3
    first, again, later = (batches(found, step=step) for step in (0, 0, 1))
    assert [len(batch[0]) for batch in first] == [3, 3, 3]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a[1], b[1]) for a, b in zip(first, later, strict=True))


def test_a_dataloader_with_a_generator_of_its_own_is_keyed_too():
    loader = DataLoader(Squares(), batch_size=3, shuffle=True, generator=torch.Generator().manual_seed(5))
    found = source(loader, "data", CPU)
    first, again = batches(found), batches(found)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))


class Epochs(torch.utils.data.Sampler):
    """Orders that depend on a count of its own, and on set_epoch."""

    def __init__(self):
        self.passes = self.epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 10

    def __iter__(self):
        self.passes += 1
        return iter([(i + self.passes + 3 * self.epoch) % 10 for i in range(10)])


@pytest.mark.parametrize("workers", [0, 1])
def test_every_epoch_of_a_sampler_with_a_memory_begins_alike(workers):
    sampler = Epochs()
    loader = DataLoader(Squares(), 4, sampler=sampler, num_workers=workers, persistent_workers=bool(workers))
    found = source(loader, "data", CPU)
    first, again, later = (torch.cat([batch[1] for batch in batches(found, step=step)]) for step in (0, 0, 1))
    assert torch.equal(first, again)
    assert torch.equal(later, first.roll(-3))
    assert sampler.passes == 0


def test_a_generator_inside_a_batch_sampler_is_keyed():
    inner = torch.utils.data.RandomSampler(Squares(), generator=torch.Generator().manual_seed(5))
    found = source(DataLoader(Squares(), batch_sampler=torch.utils.data.BatchSampler(inner, 4, False)), "data", CPU)
    first, again, later = (torch.cat([batch[1] for batch in batches(found, step=step)]) for step in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_a_subclass_of_tensor_dataset_keeps_its_transform():
    class Scaled(TensorDataset):
        def __getitem__(self, i):
            return tuple(100 * x for x in super().__getitem__(i))

    assert float(source(Scaled(torch.ones(4)), "data", CPU).tensors[0].max()) == 100


def test_a_failing_dataset_is_told_with_its_line():
    class Broken(Squares):
        def __getitem__(self, i):
            raise KeyError(i)

    with pytest.raises(InputError, match=r"the dataset failed: KeyError: 0 \(.*test_data.py, line"):
        source(Broken(), "data", CPU)
    with pytest.raises(InputError, match="reading a batch failed: KeyError"):
        keep(source(DataLoader(Broken()), "data", CPU), "data")


def test_a_dataloader_without_length_is_counted():
    class Stream3(IterableDataset):
        def __iter__(self):
            return iter([(torch.zeros(1), 0)] * 7)

    assert source(DataLoader(Stream3(), batch_size=3), "data", CPU).steps(0) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((torch.zeros(3, 2), torch.zeros(4)), "same number of rows"),
        ((torch.zeros(0, 2), torch.zeros(0)), "no rows"),
        ((torch.tensor(1.0),), "rows along its first axis"),
        ((torch.tensor([[1.0], [float("nan")]]), torch.zeros(2)), "first in row 1"),
        ((np.array(["a", "b"]), np.zeros(2)), r"array of <U1 .* numpy.unique\(labels, return_inverse=True\)\[1\]"),
        ((np.array([[True, 1.5]], object),), r"array of object .*: .to_numpy\(dtype=float\) .* or .astype\(float\)"),
        ((FRAME[["a"]], FRAME["b"]), r"got DataFrame. Write .to_numpy\(dtype=float\), or .to_numpy\(dtype=int\) for"),
        ((np.zeros(2), FRAME["b"]), r"got Series. Write .to_numpy\(dtype=float\)"),
        (FRAME, r"got a DataFrame alone. Give inputs and target .*\(table\[inputs\].to_numpy\(dtype=float\), "),
        (FRAME["a"], "got a Series alone"),
        ((["a"], [1]), "got str"),
        (7, "got int"),
    ],
)
def test_bad_data_are_refused_by_name(data, message):
    with pytest.raises(InputError, match=message) as caught:
        source(data, "mine: training data", CPU)
    assert str(caught.value).startswith("mine: training data")


def test_a_dataset_that_can_also_be_had_as_an_array_is_a_dataset():
    class Both(Squares):
        def to_numpy(self):
            raise NotImplementedError

    assert source(Both(), "data", CPU).rows == 10


def test_an_iterable_dataset_needs_a_loader():
    class Endless(IterableDataset):
        def __iter__(self):
            yield 1

    with pytest.raises(InputError, match="hand it over in a DataLoader"):
        source(Endless(), "data", CPU)


def test_digests_tell_contents_apart():
    x = torch.arange(6.0)
    first, same, other, wider = (digest(source((y,), "data", CPU)) for y in (x, x.clone(), x + 1, x.double()))
    assert first == same
    assert len({first, other, wider}) == 3


def test_what_is_evaluated_is_read_once():
    reads = []

    class Counted(Squares):
        def __getitem__(self, i):
            reads.append(i)
            return super().__getitem__(i)

    kept = keep(source(DataLoader(Counted(), batch_size=4), "data", CPU), "data")
    assert reads == list(range(10))
    assert [len(batch[1]) for batch in (*kept.in_order(), *kept.in_order())] == [4, 4, 2] * 2
    assert reads == list(range(10))
    few = keep(source(DataLoader(Squares(), batch_size=1), "data", CPU), "data", at_most=5)
    assert [int(batch[0]) for batch in few.in_order()] == [0, 2, 4, 6, 8]


def test_what_does_not_fit_is_read_anew(monkeypatch):
    monkeypatch.setattr("fallline.problems.kept.RESIDENT_BYTES", 10)
    streamed = source(DataLoader(Squares(), batch_size=4), "data", CPU)
    assert keep(streamed, "data") is streamed


@pytest.mark.parametrize(("rows", "told"), [([1], "in 1 row, the first in row 1"), ([1, 2], "in 2 rows, the first in")])
def test_rows_with_nan_are_counted(rows, told):
    x = torch.zeros(4, 2)
    x[rows] = float("nan")
    with pytest.raises(InputError, match=told):
        source((x, torch.zeros(4)), "data", CPU)


def test_a_stream_with_nan_or_without_a_batch_is_refused():
    bad = DataLoader(TensorDataset(torch.tensor([1.0, float("nan")])), batch_size=1)
    with pytest.raises(InputError, match="data: batch 1 holds NaN"):
        keep(source(bad, "data", CPU), "data")
    empty = DataLoader(TensorDataset(torch.zeros(3)), batch_size=4, drop_last=True)
    with pytest.raises(InputError, match="there is no batch"):
        keep(source(empty, "data", CPU), "data")


@pytest.mark.parametrize("kind", [(torch.arange(10.0), torch.arange(10) ** 2), Squares(), Jittered()])
def test_a_ragged_last_batch_can_be_dropped(kind):
    kept, dropping = source(kind, "train", CPU), source(kind, "train", CPU, drop_last=True)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    for data, sizes in ((kept, [4, 4, 2]), (dropping, [4, 4])):
        assert data.steps(4) == len(sizes)
        expected = [part.tolist() for part in order.split(4)[: len(sizes)]]
        assert [batch[1].double().sqrt().tolist() for batch in batches(data, order=order)] == expected
        assert data.steps(5) == 2
        assert len(batches(data, 5)) == 2
    assert dropping.subset(torch.arange(7)).steps(4) == 1
    assert len(next(keep(dropping, "train").in_order())[0]) == 10


def test_a_loader_drops_its_last_batch_itself():
    with pytest.raises(InputError, match=r"train: a DataLoader drops .*DataLoader\(..., drop_last=True\)"):
        source(DataLoader(Squares(), batch_size=4), "train", CPU, drop_last=True)

import contextlib
import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fallline.study import Silent, checkpoints
from fallline.study.store import Store
from fallline.study.weights import load_weights
from fallline.training.training import Training
from tests.study.studies import X, compare, curves, line, same


class Killed(BaseException):
    pass


def of_loader():
    loader = DataLoader(TensorDataset(X, 2 * X + 1), batch_size=8, shuffle=True)
    model = lambda: nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Dropout(0.3), nn.Linear(4, 1))  # noqa: E731
    return line(model=model, train=loader, validation=(X, X), name="loader")


def study(tmp_path, store, problem=None, **changes):
    given = {"optimizers": ["adam"], "seeds": 1, "vary": {"gradient_noise": [0.1]}, "store": tmp_path / store}
    problem = problem or line()
    batch_sizes = [8] if problem.name == "line" else None
    return compare(tmp_path, problem, **{**given, "batch_sizes": batch_sizes, **changes})


def left(results):
    weights = {r.key: {n: w.tolist() for n, w in load_weights(results.folder, r.key).items()} for r in best(results)}
    return curves(results), weights


def best(results):
    return [record for record in results.records if (results.folder / "weights" / f"{record.key}.safetensors").exists()]


def steps_taken(monkeypatch, run):
    step, taken = Training.step, []
    with monkeypatch.context() as patched:
        patched.setattr(Training, "step", lambda self, *rest: (taken.append(1), step(self, *rest))[1])
        run()
    return len(taken)


@pytest.mark.parametrize(
    ("problem", "together", "order"), [(line, 1, "reshuffle"), (line, 1, "fixed"), (of_loader, 2, "reshuffle")]
)
def test_a_study_killed_at_any_write_goes_on_bit_for_bit(tmp_path, monkeypatch, problem, together, order):
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    whole = []
    total = steps_taken(monkeypatch, lambda: whole.append(study(tmp_path, "whole", problem(), order=order)))
    replace = Path.replace
    for at in range(1, 100, 5 // together):
        writes = []

        def killed(self, target, at=at, writes=writes):
            writes.append(target)
            if len(writes) == at:
                raise Killed
            return replace(self, target)

        again, finished = [], True
        with monkeypatch.context() as patched, contextlib.suppress(Killed):
            patched.setattr(Path, "replace", killed)
            finished = False
            study(tmp_path, f"{at}", problem(), order=order)
            finished = True
        if finished:
            break
        kept = sum(target.parent.name == "checkpoints" for target in writes[:-1])
        taken = steps_taken(
            monkeypatch, lambda at=at, again=again: again.append(study(tmp_path, f"{at}", problem(), order=order))
        )
        assert taken == total - together * kept
        assert left(again[0])[1] == left(whole[0])[1]
        assert same(curves(again[0]), curves(whole[0]))
        assert not (tmp_path / f"{at}" / "checkpoints").exists()
    assert at > 10


class Told(Silent):
    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


def killed_at(monkeypatch, tmp_path, at, **changes):
    """A study that keeps every step, killed at a step of its first member; its one checkpoint."""
    step = Training.step

    def stopping(self, *rest):
        if self.done == at:
            raise Killed
        step(self, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "step", stopping)
        patched.setattr(checkpoints, "EVERY", 0.0)
        with pytest.raises(Killed):
            study(tmp_path, "s", **changes)
    return next((tmp_path / "s" / "checkpoints").iterdir())


def test_only_the_steps_since_the_last_checkpoint_are_taken_again(tmp_path, monkeypatch):
    killed_at(monkeypatch, tmp_path, 1)
    total = steps_taken(monkeypatch, lambda: study(tmp_path, "whole"))
    assert steps_taken(monkeypatch, lambda: study(tmp_path, "s")) == total - 1


def test_a_damaged_checkpoint_is_told_and_not_used(tmp_path, monkeypatch):
    path = killed_at(monkeypatch, tmp_path, 1)
    path.write_bytes(path.read_bytes()[:-5])
    told = Told()
    assert same(curves(study(tmp_path, "s", progress=told)), curves(study(tmp_path, "whole")))
    assert told.said == [f"The checkpoint {path} is not used: it is damaged. Its members begin anew."]


@pytest.mark.parametrize("changes", [{"threads": 2}, {"seed": 1}, {"epochs": 3}])
def test_a_checkpoint_of_another_study_or_plan_is_not_used(tmp_path, monkeypatch, changes):
    path = killed_at(monkeypatch, tmp_path, 1)
    content = path.read_bytes()
    (tmp_path / "s").rename(tmp_path / "old")
    path = killed_at(monkeypatch, tmp_path, 1, **changes)
    path.write_bytes(content)
    told = Told()
    study(tmp_path, "s", progress=told, **changes)
    assert told.said == [
        f"The checkpoint {path} is not used: it belongs to another study, plan or version. Its members begin anew."
    ]


def test_members_of_one_cohort_are_written_down_together_or_not_at_all(tmp_path, monkeypatch):
    insert, inserted = Store._insert, []

    def killed(self, record):
        insert(self, record)
        inserted.append(record)
        if len(inserted) == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Store, "_insert", killed)
        with pytest.raises(Killed):
            study(tmp_path, "s", of_loader(), lrs=[0.01, 0.1, 0.2])
    with Store.reader(tmp_path / "s") as store:
        assert store.records() == {}
    assert len(study(tmp_path, "s", of_loader(), lrs=[0.01, 0.1, 0.2]).records) == 3


def test_checkpoints_of_members_that_have_ended_are_swept(tmp_path):
    study(tmp_path, "s")
    os.mkdir(tmp_path / "s" / "checkpoints")
    (tmp_path / "s" / "checkpoints" / "old.safetensors").write_bytes(b"")
    study(tmp_path, "s")
    assert not (tmp_path / "s" / "checkpoints").exists()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

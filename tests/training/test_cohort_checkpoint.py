import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

from fallline.problems import Problem, prepare
from fallline.rules import SGD, Adam
from fallline.training import Budget, Member, train_cohort
from fallline.training.cohort_checkpoint import CohortCheckpoint
from tests.training.test_checkpoint import bits
from tests.training.test_resumption import Drifting

X = torch.linspace(-1, 1, 40)[:, None]
NAME = {"members": ["a", "b"]}


class Killed(BaseException):
    pass


class Often(CohortCheckpoint):
    """Kept behind every step, until the training is killed behind the last of so many."""

    def __init__(self, path, said, kill=None):
        super().__init__(path, NAME, said.append, every=0)
        self.left = kill

    def save(self, tree):
        super().save(tree)
        self.begins = tree["trainings"][0]["done"]
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Killed


def problem(model=Drifting):
    loader = DataLoader(TensorDataset(X, X**3), batch_size=8, shuffle=True)
    return prepare(Problem(model, mse_loss, loader, validation=(X, X**3), name="p"), 0, torch.device("cpu"))


def members(*rules):
    given = {"batch_size": None, "factors": {"gradient_noise": 0.1}}
    return [Member("p", f"o{i}", rule, rule.hyperparameters(), **given) for i, rule in enumerate(rules)]


# The first diverges at an epoch's end, and waits there for the others.
COHORT = members(SGD(lr=1e4), Adam(lr=0.1), SGD(lr=0.1))


def left(trained):
    return bits([[t.curve.columns, str(t.outcome), t.weights] for t in trained])


def train(kept=None, of=None, cohort=COHORT):
    return left(train_cohort(cohort, of or problem(), Budget(epochs=3), 5, kept=kept))


@pytest.mark.parametrize("kill", [1, 3, 5, 7, 12, 14])
def test_a_cohort_killed_behind_any_step_goes_on_bit_for_bit(tmp_path, kill):
    said = []
    whole = train()
    with pytest.raises(Killed):
        train(Often(tmp_path / "c", said, kill))
    again = Often(tmp_path / "c", said, kill=1)
    with pytest.raises(Killed):
        train(again)
    assert again.begins == min(kill + 1, 5)
    assert train(Often(tmp_path / "c", said)) == whole
    assert not said


def test_a_checkpoint_that_is_damaged_or_of_something_else_is_not_used(tmp_path):
    path, said = tmp_path / "c", []
    CohortCheckpoint(path, NAME).save({"trainings": []})
    assert CohortCheckpoint(path, {**NAME, "plan": 1}, said.append).load() is None
    assert "it belongs to another study, plan or version. Its members begin anew." in said.pop()
    content = bytearray(path.read_bytes())
    for damaged in (content[:-20], b"", content.replace(b"progress", b"progresz")):
        path.write_bytes(damaged)
        assert CohortCheckpoint(path, NAME, said.append).load() is None
        assert "is not used: it is damaged" in said.pop()
    assert train(Often(path, said)) == train()


def test_the_clock_says_when_a_checkpoint_is_due(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    kept = CohortCheckpoint(tmp_path / "c", NAME, every=20)
    for seconds, due in [(19, False), (1, True)]:
        now[0] += seconds
        assert kept.due() == due
    kept.save({})
    assert not kept.due()
    now[0] += 20
    assert kept.due()
    kept.remove()
    assert not kept.path.exists()


class Counts(nn.Linear):
    calls = 0

    def forward(self, x):
        self.calls += self.training
        return super().forward(x) * (1 + 0.01 * self.calls)


class Remembers(nn.Linear):
    def __init__(self):
        super().__init__(1, 1)
        self.seen = {"means": [torch.zeros(())]}

    def forward(self, x):
        if self.training:
            self.seen["means"].append(x.mean())
        return super().forward(x) + self.seen["means"][-1]


class Forgets(nn.Linear):
    def get_extra_state(self):
        return {"needs": 1}

    def set_extra_state(self, state):
        raise KeyError("lost")


class Hoards(nn.Linear):
    def get_extra_state(self):
        return {1, 2}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: nn.Sequential(Counts(1, 1)), "the model's 0.calls changed in training and is in no state_dict"),
        (Remembers, "the model's seen changed in training"),
        (lambda: Forgets(1, 1), "KeyError: 'lost'"),
        (lambda: Hoards(1, 1), "cannot hold model._extra_state, a set"),
    ],
)
def test_what_could_not_go_on_exactly_is_not_kept_but_trained(tmp_path, model, reason):
    said = []
    cohort = members(SGD(lr=0.01))
    kept = Often(tmp_path / "c", said)
    assert train(kept, problem(model), cohort) == train(None, problem(model), cohort)
    assert not kept.path.exists()
    assert len(said) == 1
    assert said[0].startswith("o0 on p cannot be kept in a checkpoint: ")
    assert reason in said[0]
    assert said[0].endswith("If this study is interrupted, members in training would begin anew.")

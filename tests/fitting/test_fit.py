import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import fallline as fl
from fallline.errors import InputError
from fallline.problems import initial_model
from fallline.problems.sources import permutation
from fallline.training import Ending
from fallline.training.checkpoint import read_checkpoint
from fallline.training.training import Training
from tests.fitting.fits import LABELS, X, fit, left, problem


def test_a_fit_is_the_member_of_a_study_bit_for_bit(tmp_path):
    fitted = fit(tmp_path / "fit")
    study = fl.compare(
        problem(),
        ["adam:lr=0.05"],
        protocol="sweep",
        epochs=4,
        seeds=1,
        batch_sizes=[10],
        threads=1,
        progress=False,
        store=tmp_path / "s",
    )
    assert {n: list(map(float, v)) for n, v in fitted.curve.columns.items() if n != "batch_loss"} == {
        n: list(map(float, v)) for n, v in study.records[0].curve.columns.items() if n != "batch_loss"
    }
    theirs = study.best().model().state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in fitted.model.state_dict().items())
    assert not fitted.model.training


def test_the_model_is_what_a_plain_loop_gives(tmp_path):
    plain = problem(model=lambda: nn.Linear(1, 3), factors={})
    fitted = fit(tmp_path / "f", "sgd:lr=0.1", of=plain, validation=0.0, seed=3)
    model = initial_model(fitted.study.problems["steps"], 3, 0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(4):
        for rows in permutation(60, 3, "order", 0, epoch).split(10):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X[rows]), LABELS[rows]).backward()
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), fitted.model.parameters(), strict=True))


def test_metrics_and_confusion_are_those_of_the_model(tmp_path):
    fitted = fit(tmp_path / "f")
    with torch.no_grad():
        predicted = fitted.model(X[::2]).argmax(1).numpy()
    expected = np.zeros((3, 3), int)
    for true, guess in zip(LABELS[::2].numpy(), predicted, strict=True):
        expected[true, guess] += 1
    assert fitted.confusion.dtype is torch.int64
    assert fitted.confusion.tolist() == expected.tolist()
    assert fitted.confusion_on == "test"
    assert fitted.metrics["test"]["accuracy"] == pytest.approx(np.trace(expected) / 30)
    assert set(fitted.metrics) == {"train", "validation", "test"}
    held_out = fit(tmp_path / "v", of=problem(test=None))
    assert (int(held_out.confusion.sum()), held_out.confusion_on) == (12, "validation")


@pytest.mark.parametrize(
    "changes",
    [
        {
            "loss": lambda output, target: ((output - target[:, None]) ** 2).mean(),
            "metrics": {},
            "model": nn.Linear(1, 1),
        },
        {"loss": lambda model, batch: model(batch[0]).square().mean(), "metrics": {}},
        {"train": (X, X.expand(60, 3)), "test": None, "loss": nn.functional.mse_loss, "metrics": {}},
    ],
)
def test_what_is_no_classification_has_no_confusion(tmp_path, changes):
    changes = {"factors": {}, "model": lambda: nn.Linear(1, 3), **changes}
    fitted = fit(tmp_path / "f", of=problem(**changes), epochs=1)
    assert fitted.confusion is None
    assert "Confusion" not in fitted.summary


def test_labels_that_are_ignored_are_not_counted(tmp_path):
    labels = torch.where(X[:, 0] > 0.8, -100, LABELS)
    fitted = fit(tmp_path / "f", of=problem(train=(X, labels), test=(X, labels), metrics={}), epochs=1)
    assert int(fitted.confusion.sum()) == int((labels >= 0).sum()) < 60


def test_images_of_classes_are_counted_pixel_by_pixel(tmp_path):
    x = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0.5).long()
    images = problem(model=lambda: nn.Conv2d(1, 2, 1), train=(x, y), test=(x, y), factors={})
    assert int(fit(tmp_path / "f", of=images, epochs=1).confusion.sum()) == 20 * 16


def test_patience_stops_and_the_model_has_the_best_weights(tmp_path):
    fitted = fit(tmp_path / "f", "adam:lr=0.3", epochs=40, patience=2)
    outcome = fitted.outcome
    assert outcome.ending is Ending.STOPPED
    losses = fitted.curve["validation_loss"]
    best = losses.index(min(losses))
    assert outcome.restored == fitted.curve["step"][best] == fitted.best_step < outcome.step
    assert fitted.metrics["validation"]["loss"] == losses[best]
    weights = read_checkpoint(tmp_path / "f" / "best.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in fitted.model.state_dict().items())
    assert f"The weights are those of step {outcome.restored}" in fitted.summary
    as_factor = fit(tmp_path / "g", "adam:lr=0.3", epochs=40, factors={"patience": 2})
    assert left(tmp_path / "f") == left(tmp_path / "g")
    assert as_factor.outcome == outcome


def test_without_patience_the_model_has_the_last_weights_and_the_best_are_kept_beside(tmp_path):
    fitted = fit(tmp_path / "f", "adam:lr=0.3", epochs=12, evaluate_every=1)
    losses = fitted.curve["validation_loss"]
    assert fitted.outcome.restored is None
    assert losses[-1] > min(losses)
    model = problem().make_model()
    model.load_state_dict(read_checkpoint(tmp_path / "f" / "best.safetensors"))
    rows = fitted.study.problems["steps"].validation.batches[0]
    with torch.no_grad():
        assert nn.functional.cross_entropy(model.eval()(rows[0]), rows[1]).item() == pytest.approx(
            min(losses), rel=1e-6
        )


def test_where_nothing_is_held_out_the_training_loss_says_what_is_best(tmp_path):
    fitted = fit(tmp_path / "f", "adam:lr=0.5", validation=0.0, epochs=10)
    losses = fitted.curve["train_loss"]
    assert fitted.best_step == fitted.curve["step"][losses.index(min(losses))]


def test_divergence_is_a_result_with_step_and_cause_and_the_best_weights_before(tmp_path):
    bad = int(permutation(60, 0, "order", 0, 0)[43])

    def loss(model, batch):
        value = nn.functional.cross_entropy(model(batch[0]), batch[1])
        poisoned = torch.is_grad_enabled() and bool((batch[0] == X[bad]).any())
        return value + math.nan if poisoned else value

    given = {"loss": loss, "metrics": {}, "validation": (X, LABELS)}
    fitted = fit(tmp_path / "f", of=problem(**given), evaluate_every=1, checkpoint_every=2)
    assert (fitted.outcome.ending, fitted.outcome.step) == (Ending.DIVERGED, 5)
    assert fitted.outcome.cause == "the loss of step 5 was NaN"
    assert "diverged at step 5. The loss of step 5 was NaN." in fitted.summary
    document = json.loads(json.dumps(fitted.to_json(), allow_nan=False))
    assert document["outcome"] == "diverged"
    assert document["final"]["train_loss"] is document["confusion"] is None
    assert fitted.kept == tmp_path / "f" / "best.safetensors"
    assert 0 < fitted.best_step < 5
    model = problem().make_model()
    model.load_state_dict(read_checkpoint(fitted.kept))
    with torch.no_grad():
        best = nn.functional.cross_entropy(model.eval()(X), LABELS).item()
    assert best == pytest.approx(fitted.curve["validation_loss"][fitted.best_step], rel=1e-6)
    assert not (tmp_path / "f" / "weights.safetensors").exists()


def test_all_that_a_study_takes_is_taken(tmp_path):
    fitted = fit(
        tmp_path / "f",
        torch.optim.NAdam,
        schedule="cosine:warmup=0.1",
        factors={"dropout": "0.5", "label_smoothing": 0.1},
        order="fixed",
        steps=7,
        epochs=None,
    )
    assert fitted.record["factors"] == {"dropout": 0.5, "label_smoothing": 0.1}
    assert fitted.record["schedule"] == "cosine:warmup=0.1"
    assert fitted.outcome.step == 7
    assert fitted.model[3].p == 0.5
    loader = problem(train=DataLoader(TensorDataset(X, LABELS), batch_size=16, shuffle=True), validation=(X, LABELS))
    assert fit(tmp_path / "l", fl.rules.SGD(lr=0.1), of=loader, batch_size=None, epochs=2).outcome.step == 8
    whole = fit(tmp_path / "w", fl.rules.Adam, batch_size=None, epochs=1)
    assert whole.record["batch_size"] == 48


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": "adam:lr=0.1|0.2"}, "needs one value of each hyperparameter.*lr 2"),
        ({"optimizer": "adam:lr=1e-3..1"}, "needs one value"),
        ({"optimizer": "adma"}, "Did you mean 'adam'"),
        ({"factors": {"dropuot": 0.5}}, "Did you mean 'dropout'"),
        ({"factors": {"patience": 1}, "patience": 1}, "given twice"),
        ({"patience": 1, "validation": 0.0}, "holds nothing out"),
        ({"optimizer": torch.optim.Adam, "factors": {"l1": 0.1}}, "torch optimizer"),
        ({"epochs": 1, "steps": 1}, "either epochs or steps"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 1000}, "larger than the 48 training rows"),
        ({"device": "abacus"}, "cannot be used here"),
        ({"schedule": "cosign"}, "Did you mean 'cosine'"),
        ({"checkpoint_every": "soon"}, "30s, 5min or 1h; got 'soon'"),
        ({"checkpoint_every": -1}, "checkpoint_every"),
        ({"checkpoint_every": 1.5}, "checkpoint_every"),
        ({"checkpoint_every": True}, "checkpoint_every"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained_or_written(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        fit(tmp_path / "f", **changes)
    assert not (tmp_path / "f").exists()


class Hoards(torch.optim.SGD):
    def step(self, closure=None):
        super().step(closure)
        for p in self.param_groups[0]["params"]:
            self.state[p]["hoard"] = {1, 2}


class Forgets(nn.Linear):
    def get_extra_state(self):
        return {"needs": 1}

    def set_extra_state(self, state):
        raise KeyError("lost")


class Counts(nn.Linear):
    calls = 0

    def forward(self, x):
        self.calls += self.training
        return super().forward(x)


def test_what_a_checkpoint_cannot_hold_is_found_before_training(tmp_path):
    with pytest.raises(InputError, match=r"cannot hold optimizer\.state\.0\.hoard, a set"):
        fit(tmp_path / "f", Hoards)
    with pytest.raises(InputError, match="cannot be put back from a checkpoint: KeyError: 'lost'"):
        fit(tmp_path / "f", of=problem(model=lambda: Forgets(1, 3), factors={}))
    assert os.listdir(tmp_path / "f") == ["lock"]


def test_what_is_in_no_state_dict_is_told(tmp_path, capfd):
    fit(tmp_path / "f", of=problem(model=lambda: nn.Sequential(Counts(1, 3)), factors={}), epochs=1, progress=True)
    assert "the model's 0.calls changed in a step and is in no state_dict" in capfd.readouterr().err
    fit(tmp_path / "g", torch.optim.LBFGS, epochs=1, progress=True)
    assert "state_dict" not in capfd.readouterr().err


def test_a_finished_training_is_reported_and_not_trained_again(tmp_path, monkeypatch):
    first = fit(tmp_path / "f")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "f").iterdir()}
    monkeypatch.setattr(Training, "step", lambda *_: pytest.fail("trained again"))
    again = fit(tmp_path / "f")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "f").iterdir()} == before
    assert again.summary == first.summary
    assert again.to_json() == first.to_json()
    assert not again.model.training
    assert all(torch.equal(v, again.model.state_dict()[n]) for n, v in first.model.state_dict().items())


def test_a_folder_of_something_else_is_refused(tmp_path):
    fit(tmp_path / "f", epochs=1)
    with pytest.raises(InputError, match="holds another training"):
        fit(tmp_path / "f", epochs=2)
    with pytest.raises(InputError, match="no study"):
        fl.compare(problem(), ["sgd"], protocol="sweep", store=tmp_path / "f", progress=False)
    fl.compare(problem(), ["sgd:lr=0.1"], protocol="sweep", epochs=1, seeds=1, store=tmp_path / "s", progress=False)
    with pytest.raises(InputError, match="holds other files .* and no training"):
        fit(tmp_path / "s")
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"thesis\.txt"):
        fit(tmp_path / "o")


def test_damage_is_told(tmp_path):
    fit(tmp_path / "f", epochs=1)
    last = tmp_path / "f" / "last.safetensors"
    content = last.read_bytes()
    last.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="damaged"):
        fit(tmp_path / "f", epochs=1)
    last.write_bytes(content)
    (tmp_path / "f" / "fit.json").write_text("{")
    with pytest.raises(InputError, match=r"fit\.json is damaged"):
        fit(tmp_path / "f", epochs=1)


LOADS = """
import sys, torch
from torch import nn
model = nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3))
{lines}
assert "fallline" not in sys.modules
x = torch.linspace(-1, 1, 7)[:, None]
print(model.eval()(x).double().tolist())
"""


def test_the_weights_load_in_plain_pytorch_with_the_two_lines_that_are_printed(tmp_path):
    fitted = fit(tmp_path / "f")
    lines = fitted.summary.splitlines()[-2:]
    assert [line.split()[0] for line in lines] == [
        "from",
        'model.load_state_dict(load_file("' + str(fitted.kept) + '"))',
    ]
    run = subprocess.run([sys.executable, "-c", LOADS.format(lines="\n".join(lines))], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    with torch.no_grad():
        assert json.loads(run.stdout) == fitted.model(torch.linspace(-1, 1, 7)[:, None]).double().tolist()


class Extra(nn.Linear):
    def get_extra_state(self):
        return {"version": 2}

    def set_extra_state(self, state):
        assert state == {"version": 2}


def test_a_model_with_an_extra_state_loads_without_being_strict(tmp_path):
    fitted = fit(tmp_path / "f", of=problem(model=lambda: Extra(1, 3), factors={}), epochs=1)
    assert fitted.summary.endswith("strict=False)")


def test_the_picture_is_drawn(tmp_path):
    fitted = fit(tmp_path / "f", epochs=1)
    assert fitted.plot(tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="png"):
        fitted.plot(tmp_path / "curves.gif")

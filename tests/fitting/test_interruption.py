import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import fallline as fl
from fallline.errors import InputError, MachineError
from fallline.fitting import FitFolder
from fallline.training.training import Training
from tests.fitting.fits import LABELS, X, fit, left, problem
from tests.signals import heed_interrupts

STATEFUL = {
    "optimizer": "adam:lr=0.05",
    "schedule": "plateau:patience=4",
    "factors": {"dropout": 0.4, "gradient_noise": 0.01, "l1": 1e-4},
    "patience": 3,
    "checkpoint_every": 2,
    "validation": 0.5,
}
"""Dropout, reshuffled batches, noise, a schedule and a stopping that look at the curve; 3 batches an epoch."""


class Stop(BaseException):
    pass


def stopped(monkeypatch, at, store, **given):
    """What a training raised that was stopped in the middle of a step."""
    step = Training.step

    def stops(self, *rest):
        step(self, *rest)
        if self.done == at:
            raise Stop

    with monkeypatch.context() as patched:
        patched.setattr(Training, "step", stops)
        with pytest.raises(Stop) as caught:
            fit(store, **given)
    return caught.value


def first_step(monkeypatch, store, **given):
    """The first step of a training that goes on."""
    step, steps = Training.step, []

    def noted(self, *rest):
        steps.append(self.done + 1)
        step(self, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "step", noted)
        fit(store, **given)
    return steps[0]


def test_a_training_stopped_at_any_step_goes_on_bit_for_bit(tmp_path, monkeypatch):
    whole = fit(tmp_path / "whole", **STATEFUL)
    assert whole.outcome.step == 12
    for at, begins in [(2, 1), (3, 3), (4, 3), (6, 5), (7, 7), (9, 9), (11, 11), (12, 11)]:
        store = tmp_path / f"{at}"
        error = stopped(monkeypatch, at, store, **STATEFUL)
        assert f"fallline resume {store}" in error.__notes__[0]
        assert first_step(monkeypatch, store, **STATEFUL) == begins
        assert left(store) == left(tmp_path / "whole")


def test_whichever_write_fails_nothing_is_lost(tmp_path, monkeypatch):
    given = {**STATEFUL, "checkpoint_every": 5}
    fit(tmp_path / "whole", **given)
    replace = Path.replace
    failing = 0
    while True:
        failing += 1
        writes = []

        def fails(self, target, failing=failing, writes=writes):
            writes.append(target)
            if len(writes) == failing:
                raise OSError(28, "No space left on device")
            return replace(self, target)

        store = tmp_path / f"{failing}"
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", fails)
            try:
                fit(store, **given)
                break
            except MachineError as error:
                told = str(error)
        assert "could not be written: No space left on device" in told
        fit(store, **given)
        assert left(store) == left(tmp_path / "whole")
    assert failing > 6


def test_the_best_weights_survive_an_interruption(tmp_path, monkeypatch):
    given = {"optimizer": "adam:lr=0.3", "epochs": 12, "evaluate_every": 1, "checkpoint_every": 5}
    whole = fit(tmp_path / "whole", **given)
    assert whole.best_step < 40
    stopped(monkeypatch, 48, tmp_path / "cut", **given)
    fit(tmp_path / "cut", **given)
    assert left(tmp_path / "cut") == left(tmp_path / "whole")


def test_changes_are_named_before_a_training_goes_on_and_after_it_ended(tmp_path, monkeypatch, capfd):
    stopped(monkeypatch, 9, tmp_path / "f", checkpoint_every=2)
    labels = LABELS.clone()
    labels[0] = 2
    with pytest.raises(InputError, match="cannot go on: the test data of steps changed"):
        fit(tmp_path / "f", of=problem(test=(X[::2], labels[::2])), checkpoint_every=2)
    with pytest.raises(InputError, match="the initial model of steps changed"):
        fit(tmp_path / "f", of=problem(model=lambda dropout: torch.nn.Linear(1, 3)))
    fit(tmp_path / "f", checkpoint_every=3)
    capfd.readouterr()
    fit(tmp_path / "f", of=problem(test=(X[::2], labels[::2])), progress=True)
    assert "had ended before the test data of steps changed" in capfd.readouterr().err


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with FitFolder.writer(tmp_path / "f"), pytest.raises(InputError, match="Another fallline is working"):
        fit(tmp_path / "f")


PROBLEM = """
import torch, fallline as fl
from torch import nn
from torch.utils.data import DataLoader, Dataset

class Noisy(Dataset):
    def __len__(self):
        return 120

    def __getitem__(self, i):
        x = torch.tensor([i / 60 - 1.0])
        return x + 0.1 * torch.randn(1), x**3

def net(dropout=0.2):
    return nn.Sequential(nn.Linear(1, 16), nn.BatchNorm1d(16), nn.Dropout(dropout), nn.Tanh(), nn.Linear(16, 1))

x = torch.linspace(-1, 1, 60)[:, None]
curve = fl.Problem(net, nn.MSELoss(), DataLoader(Noisy(), batch_size=8, shuffle=True), validation=(x, x**3),
                   factors={"dropout": 0.2}, name="curve")
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from fallline.cli import main
from fallline.training.training import Training

what, at, *words = sys.argv[1:]
at = int(at)

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

if what == "step":
    step = Training.step

    def killed(self, *given):
        step(self, *given)
        if self.done == at:
            kill()

    Training.step = killed
if what == "write":
    replace, writes = Path.replace, []

    def killed(self, target):
        writes.append(target)
        if len(writes) == at:
            kill()
        return replace(self, target)

    Path.replace = killed
sys.argv = ["fallline", *words]
main()
"""


def test_sigkill_again_and_again_changes_no_bit(tmp_path):
    (tmp_path / "mine.py").write_text(PROBLEM)
    given = {
        "epochs": 5,
        "schedule": "plateau:patience=10",
        "patience": 2.0,
        "factors": {"dropout": 0.4, "gradient_noise": 0.01},
        "threads": 1,
        "checkpoint_every": 4,
    }
    words = ["train", "mine.py:curve", "-o", "momentum:lr=0.05", "--epochs", 5, "--schedule", "plateau:patience=10"]
    words += ["--patience", 2, "--with", "dropout=0.4", "--with", "gradient_noise=0.01", "--threads", 1]
    words += ["--checkpoint-every", 4, "--store", tmp_path / "cut", "--quiet"]
    for what, at, commands in [("write", 1, words), ("step", 27, words), ("write", 3, ["resume", tmp_path / "cut"])]:
        run = subprocess.run(
            [sys.executable, "-c", KILLED, what, *map(str, [at, *commands])],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert run.returncode == -signal.SIGKILL, run.stderr
        assert not (tmp_path / "cut" / "weights.safetensors").exists()
    cut = fl.resume(tmp_path / "cut", progress=False)
    whole = fl.fit(
        f"{tmp_path / 'mine.py'}:curve", "momentum:lr=0.05", store=tmp_path / "whole", progress=False, **given
    )
    assert whole.outcome.step > 30
    assert cut.outcome == whole.outcome
    assert left(tmp_path / "cut") == left(tmp_path / "whole")
    assert not list((tmp_path / "cut").glob("*.partial"))


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_with_their_code_and_say_how_to_go_on(tmp_path, sent, code):
    words = ["train", "digits", "--epochs", "100000", "--threads", "1", "--checkpoint-every", "20"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fallline", *words, "--store", tmp_path / "cut", "--quiet"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None and not (tmp_path / "cut/last.safetensors").exists():
        time.sleep(0.02)
    os.kill(process.pid, sent)
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, errors
    assert f"fallline resume {tmp_path / 'cut'}" in errors
    assert json.loads((tmp_path / "cut" / "fit.json").read_text())["specification"]["epochs"] == 100000

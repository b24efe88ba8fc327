"""A study that is killed in the middle of its trainings; benchmarks/kills.py does it many times."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

import fallline as fl
from fallline.study.weights import load_weights
from fallline.training.training import Training
from tests.processes import children, gone
from tests.study.studies import curves, same

SCRIPT = """
import torch, fallline as fl
from torch import nn
def model():
    return nn.Sequential(nn.Linear(1, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.Tanh(), nn.Linear(16, 1))
x = torch.linspace(-1, 1, 200)[:, None]
problem = fl.Problem(model=model, loss=nn.MSELoss(), train=(x, x**3), name="curve")
"""

CHILD = """
import sys, fallline as fl
from fallline.study import checkpoints
script, store, runner, workers = sys.argv[1:]
checkpoints.EVERY = 0.05
fl.compare(f"{script}:problem", ["adam"], protocol="sweep", lrs=[0.1], vary={"gradient_noise": [0.1]},
           batch_sizes=[11], epochs=40, seeds=2, runner=runner, threads=int(workers), progress=False, store=store)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("kills") / "mine.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def whole(script):
    given = {"vary": {"gradient_noise": [0.1]}, "batch_sizes": [11], "epochs": 40, "seeds": 2, "threads": 1}
    store = script.parent / "whole"
    return fl.compare(f"{script}:problem", ["adam"], protocol="sweep", lrs=[0.1], progress=False, store=store, **given)


@pytest.mark.parametrize(("runner", "workers"), [("loop", 1), ("processes", 2)])
def test_a_study_killed_mid_epoch_goes_on_bit_for_bit(tmp_path, monkeypatch, script, whole, runner, workers):
    store = tmp_path / "cut"
    process = subprocess.Popen([sys.executable, "-c", CHILD, script, store, runner, str(workers)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and not any(store.glob("checkpoints/*.safetensors")):
        time.sleep(0.005)
    time.sleep(random.Random(runner).uniform(0, 0.2))
    others = children(process.pid)
    assert len(others) >= (workers if runner == "processes" else 0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(60)
    assert gone(others)
    assert any(store.glob("checkpoints/*.safetensors"))
    step, taken = Training.step, []
    monkeypatch.setattr(Training, "step", lambda self, *rest: (taken.append(1), step(self, *rest))[1])
    resumed = fl.resume(store, progress=False)
    assert resumed.plan["runner"] == runner
    if runner == "loop":
        assert len(taken) < 2 * 40 * 15
    assert same(curves(resumed), curves(whole))
    for record in whole.records:
        one, other = (load_weights(results.folder, record.key) for results in (whole, resumed))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert not (store / "checkpoints").exists()

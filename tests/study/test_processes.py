import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

import fallline as fl
from fallline.errors import InputError
from fallline.imports import import_file
from fallline.study import read_results
from fallline.study.planning import make_plan
from fallline.study.weights import load_weights
from fallline.training import Budget
from tests.processes import alive, gone
from tests.study.studies import compare, curves, line, same

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


DOUBLE = torch.linspace(-1, 1, 40, dtype=torch.float64)[:, None]


def net():
    return nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Tanh(), nn.Linear(8, 1))


def several():
    loader = DataLoader(TensorDataset(DOUBLE, DOUBLE**2), batch_size=8, shuffle=True, generator=torch.Generator())
    opaque = line(model=lambda: net(), train=loader, validation=(DOUBLE, DOUBLE**2), name="opaque")
    return [
        line(
            model=net,
            loss=nn.HuberLoss(),
            metrics={"mae": lambda a, b: (a - b).abs().mean()},
            train=(DOUBLE, DOUBLE**3),
        ),
        opaque,
    ]


def both(tmp_path, problem, **changes):
    given = {"optimizers": ["sgd", fl.rules.Momentum(lr=0.1)], "lrs": None, "seeds": 1, "diagnostics": "layers"}
    given |= {"vary": {"gradient_noise": [0.1], "lr": [0.1]}, "schedules": ["cosine:warmup=0.1"], **changes}
    return [
        compare(tmp_path, problem, runner=runner, threads=threads, store=tmp_path / runner, **given)
        for runner, threads in [("loop", 1), ("processes", 2)]
    ]


def test_processes_give_the_bits_of_the_loop(tmp_path):
    torch.set_default_dtype(torch.float64)
    try:
        loop, processes = both(tmp_path, several(), losses_every=3)
    finally:
        torch.set_default_dtype(torch.float32)
    assert processes.plan["runner"] == "processes"
    assert same(curves(loop), curves(processes))
    assert [r.curve.losses for r in loop.records] == [r.curve.losses for r in processes.records]
    for row in loop.ranking:
        one, other = (load_weights(results.folder, row.best_record.key) for results in (loop, processes))
        assert one.keys() == other.keys()
        assert all(one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one)
    assert sorted(os.listdir(tmp_path / "processes")) == sorted(os.listdir(tmp_path / "loop"))


def test_what_cannot_be_pickled_is_told_before_anything_is_begun(tmp_path):
    lock = threading.Lock()

    class Locked(torch.optim.SGD):
        held = lock

    def locked(a, b):
        return mse_loss(a, b) if lock else a

    said = {
        "the loss of line": line(loss=locked),
        "the model of line": line(model=lambda: nn.Linear(1, 1) if lock else None),
        "the metric m of line": line(metrics={"m": locked}),
    }
    for what, problem in said.items():
        with pytest.raises(InputError, match=f"hands {what} to other processes, and it cannot be pickled: .*lock"):
            compare(tmp_path, problem, runner="processes")
    with pytest.raises(InputError, match="hands Locked to other processes"):
        compare(tmp_path, optimizers=[Locked], runner="processes")
    assert not (tmp_path / "s").exists()


def test_processes_train_on_the_cpu_alone():
    with pytest.raises(InputError, match="on meta use the runner loop"):
        make_plan([], {}, Budget(epochs=1), torch.device("meta"), "processes")


def test_an_error_in_a_worker_is_the_users_own(tmp_path):
    parent = os.getpid()

    def loss(output, target):
        if os.getpid() != parent:
            raise ZeroDivisionError("mine")
        return mse_loss(output, target)

    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        compare(tmp_path, line(loss=loss), runner="processes", threads=1)
    assert caught.value.__notes__[0].startswith("This came up while training sgd (lr=0.01")
    assert "in loss" in str(caught.value.__cause__)


SCRIPT = """
import os, pathlib, torch, fallline as fl
import beside
from torch import nn
class Net(nn.Sequential):
    def forward(self, x):
        pathlib.Path(__file__).with_name(f"pid{os.getpid()}").touch()
        return super().forward(x)
def model():
    return Net(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 1))
x = torch.linspace(-1, 1, 200)[:, None]
problem = fl.Problem(model=model, loss=beside.loss, train=(x, x**3), name="curve")
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, "worker"])
def test_signals_end_all_processes_and_lose_nothing(tmp_path, sent):
    (tmp_path / "beside.py").write_text("import torch\ndef loss(a, b): return ((a - b) ** 2).mean()\n")
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    words = [f"{script}:problem", "-o", "adam:lr=0.01|0.02|0.05|0.1", "--epochs", "4000", "--seeds", "1", "--quiet"]
    words += ["--protocol", "sweep", "--runner", "processes", "--threads", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fallline", "compare", *words, "--store", tmp_path / "cut"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def workers():
        found = [int(path.name[3:]) for path in tmp_path.glob("pid*")]
        return [pid for pid in found if pid != process.pid]

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None and len(workers()) < 2:
        time.sleep(0.02)
    pids = workers()
    assert len(pids) == 2
    assert all(map(alive, pids))
    time.sleep(random.Random(str(sent)).uniform(0, 0.2))
    if sent == "worker":
        os.kill(pids[0], signal.SIGKILL)
    else:
        # As a terminal does it with Ctrl-C: the workers get it too.
        os.killpg(process.pid, sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGTERM: 143, "worker": 3}[sent], errors
    assert gone(pids)
    if sent == "worker":
        assert "A worker process was ended from outside (signal 9) while it trained adam (lr=0.0" in errors
    assert "fallline resume" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "cut").glob(".workers*"))
    assert read_results(tmp_path / "cut").plan["runner"] == "processes"


def test_a_file_that_was_imported_and_is_gone_is_no_matter(tmp_path):
    own = tmp_path / "gone.py"
    own.write_text("x = 1")
    import_file(own)
    own.unlink()
    results = compare(tmp_path, lrs=[0.1], epochs=1, seeds=1, runner="processes")
    assert len(results.records) == 2

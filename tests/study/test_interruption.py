import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import fallline as fl
from fallline.errors import InputError
from fallline.study import Silent, read_results
from tests.signals import heed_interrupts
from tests.study.studies import compare, curves, same


def test_an_interrupted_study_goes_on_bit_for_bit(tmp_path):
    class Stop(Exception):
        pass

    class StopsAfterThree(Silent):
        ended = 0

        def end(self, record, steps_left):
            self.ended += 1
            if self.ended == 3:
                raise Stop

    whole = compare(tmp_path, store=tmp_path / "whole")
    with pytest.raises(Stop) as caught:
        compare(tmp_path, progress=StopsAfterThree())
    assert "3 of 8 members have ended" in caught.value.__notes__[0]
    assert len(read_results(tmp_path / "s").records) == 3
    assert same(curves(compare(tmp_path)), curves(whole))


TWO = """
import torch, fallline as fl
def make(classes=0, data_dir=None):
    x = torch.linspace(-1, 1, 40)[:, None]
    if classes:
        own = {"loss": torch.nn.functional.cross_entropy, "metrics": {"accuracy": fl.problems.accuracy}}
        return fl.Problem(model=lambda: torch.nn.Linear(1, 2), train=(x, (x > 0).long().flatten()), name="signs",
                          target="validation_accuracy>=0.9", **own)
    return fl.Problem(model=lambda: torch.nn.Linear(1, 1), loss=torch.nn.MSELoss(), train=(x, x), name="line")
def signs(): return make(2)
"""


def test_a_study_can_go_on_from_another_folder_with_data_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "two.py").write_text(TWO)
    monkeypatch.chdir(tmp_path)
    problems = ["two.py:make", "two.py:signs"]
    first = compare(tmp_path, problems, ["sgd"], data_dir=tmp_path / "old")
    assert [row.steps_to_target is None for row in first.ranking] == [True, False]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = fl.resume(tmp_path / "s", progress=False, data_dir=tmp_path / "new")
    assert same(curves(first), curves(again))


def test_a_study_goes_on_with_the_threads_of_its_plan(tmp_path):
    class Counts(Silent):
        def __init__(self, stop):
            self.stop, self.threads = stop, []

        def end(self, record, steps_left):
            self.threads.append(torch.get_num_threads())
            if self.stop:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(tmp_path, threads=2, progress=Counts(stop=True))
    counts = Counts(stop=False)
    compare(tmp_path, threads=1, progress=counts)
    assert counts.threads == [2] * 7


SCRIPT = """
import os, time, torch, fallline as fl
from torch import nn
def loss(predicted, target):
    time.sleep(float(os.environ.get("SECONDS_A_STEP", 0)))
    return nn.functional.mse_loss(predicted, target)
def problem():
    x = torch.linspace(-1, 1, 400)[:, None]
    model = lambda: nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 1))
    return fl.Problem(model=model, loss=loss, train=(x, x**3), name="curve")
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_lose_nothing(tmp_path, sent):
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    words = [f"{script}:problem", "-o", "sgd:lr=0.01|0.1", "-o", "adam:lr=0.01|0.1", "--epochs", "40", "--seeds", "2"]
    # In a population all would end together.
    words += ["--protocol", "sweep", "--runner", "loop"]
    process = subprocess.Popen(
        [sys.executable, "-m", "fallline", "compare", *words, "--threads", "1", "--quiet", "--store", tmp_path / "cut"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SECONDS_A_STEP": "0.005"},
        preexec_fn=heed_interrupts,
    )
    weights = tmp_path / "cut" / "weights"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if weights.is_dir() and len(list(weights.iterdir())) >= 2:
            break
        time.sleep(0.02)
    os.kill(process.pid, sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[sent], errors
    if sent != signal.SIGKILL:
        assert "fallline resume" in errors
    assert 0 < len(read_results(tmp_path / "cut").records) < 8
    resumed = fl.resume(tmp_path / "cut", progress=False)
    optimizers = ["sgd:lr=0.01|0.1", "adam:lr=0.01|0.1"]
    whole = fl.compare(
        f"{script}:problem",
        optimizers,
        protocol="sweep",
        runner="loop",
        epochs=40,
        seeds=2,
        threads=1,
        progress=False,
        store=tmp_path / "whole",
    )
    assert same(curves(resumed), curves(whole))
    script.write_text(SCRIPT.replace("0.2", "0.3"))
    with pytest.raises(InputError, match="changed since it began"):
        fl.resume(tmp_path / "cut", progress=False)


def test_values_that_are_no_numbers_can_be_tried_and_resumed(tmp_path, monkeypatch):
    (tmp_path / "two.py").write_text(TWO)
    monkeypatch.chdir(tmp_path)
    results = compare(tmp_path, "two.py:make", ["torch.optim.Adam:betas=(0.8,0.9)|(0.9,0.99),foreach=false"])
    assert {tuple(record["hyperparameters"]["betas"]) for record in results.records} == {(0.8, 0.9), (0.9, 0.99)}
    assert len(fl.resume(tmp_path / "s", progress=False).records) == 8

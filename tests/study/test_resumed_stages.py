"""Studies that were stopped or killed in or between the stages of the protocol, and went on."""

import signal
import subprocess
import sys

import pytest
import torch

import fallline as fl
from fallline.study import Silent, read_results
from fallline.study.weights import load_weights
from tests.study.studies import curves, full, same

pytestmark = pytest.mark.usefixtures("own_cache")


class Stop(Exception):
    pass


class StopsAfter(Silent):
    def __init__(self, count):
        self.count = count

    def end(self, record, steps_left):
        self.count -= 1
        if not self.count:
            raise Stop


@pytest.mark.parametrize("runner", ["loop", "population"])
@pytest.mark.parametrize("ended", [3, 18, 20, 24, 25, 30])
def test_a_study_stopped_anywhere_goes_on_bit_for_bit(tmp_path, runner, ended):
    # 18 members of the search, 6 further trials, 6 reruns.
    given = {"seeds": 3, "lrs": [0.001, 0.01, 0.1], "extra_trials": 1, "final_seeds": 3, "runner": runner}
    whole = full(tmp_path, store=tmp_path / "whole", **given)
    with pytest.raises(Stop) as stopped:
        full(tmp_path, progress=StopsAfter(ended), **given)
    assert f" of {24 if ended <= 18 else 30} members have ended" in stopped.value.__notes__[0]
    again = full(tmp_path, **given)
    assert [r.key for r in again.records] == [r.key for r in whole.records]
    assert same(curves(again), curves(whole))
    assert not (tmp_path / "s" / "checkpoints").exists()
    for record in whole.reruns:
        one, other = (load_weights(results.folder, record.key) for results in (whole, again))
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert again.plan["later"] == whole.plan["later"]
    assert len(again.plan["later"]) == 2


def test_reruns_made_after_a_resume_are_those_of_what_was_chosen_before(tmp_path):
    optimizers = ["torch.optim.Adam:betas=(0.8,0.9)|(0.9,0.99),lr=0.1|0.01", "torch.optim.SGD:lr=0.1|0.01"]

    class Stops(Silent):
        def end(self, record, steps_left):
            if record["phase"] == "final":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        full(tmp_path, optimizers, lrs=None, final_seeds=6, progress=Stops())
    results = full(tmp_path, optimizers, lrs=None, final_seeds=6)
    assert [row.rerun for row in results.ranking] == [True, True]
    assert len(results.verdicts) == 1


KILLED = """
import os, signal, sys, fallline as fl
from fallline.study.store import Store
script, store, moment = sys.argv[1:]
keep = Store.keep_plan
def killed(self, plan):
    if moment == "after":
        keep(self, plan)
    os.kill(os.getpid(), signal.SIGKILL)
Store.keep_plan = killed
fl.compare(f"{script}:problem", ["sgd", "adam"], lrs=[0.01, 0.1], epochs=2, seeds=2, final_seeds=2, threads=1,
           progress=False, store=store)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_study_killed_between_stages_goes_on_bit_for_bit(tmp_path, moment):
    script = tmp_path / "mine.py"
    script.write_text(
        "import torch, fallline as fl\n"
        "x = torch.linspace(-1, 1, 40)[:, None]\n"
        "problem = fl.Problem(model=lambda: torch.nn.Linear(1, 1), loss=torch.nn.MSELoss(), train=(x, x))\n"
    )
    killed = subprocess.run([sys.executable, "-c", KILLED, script, tmp_path / "cut", moment])
    assert killed.returncode == -signal.SIGKILL
    before = read_results(tmp_path / "cut")
    assert (len(before.records), before.planned, before.verdicts) == (8, 12, ())
    assert all(not row.rerun and row.winners == row.selection for row in before.ranking)
    assert len(before.plan["later"]) == (moment == "after")
    given = {"lrs": [0.01, 0.1], "epochs": 2, "seeds": 2, "final_seeds": 2, "threads": 1, "progress": False}
    whole = fl.compare(f"{script}:problem", ["sgd", "adam"], **given, store=tmp_path / "whole")
    resumed = fl.resume(tmp_path / "cut", progress=False)
    assert same(curves(resumed), curves(whole))
    assert resumed.verdicts == whole.verdicts
    assert resumed.plan == whole.plan

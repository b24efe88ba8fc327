"""The examples of users' own models: the commands run, what they name learns, and the scripts themselves run."""

import ast
import json
import runpy
import shlex
from pathlib import Path

import pytest

import fallline as fl
from tests.commands import shortened
from tests.terminal import fallline

FOLDER = Path(__file__).parents[1] / "examples"
LEARNED = {
    # Adam's learning rate, the epochs, and what is seen on the test data then, beside what knowing little gives.
    "own_model.py:moons": (0.1, 10, "accuracy", 0.92),  # 0.5 is chance
    "cnn.py:images": (0.03, 5, "accuracy", 0.85),  # 0.1 is chance
    "transformer.py:agreement": (0.03, 3, "accuracy", 0.95),  # 0.75 is what counting the nouns gives
    "pandas_regression.py:penguins": (0.03, 20, "mean_absolute_error", 300),  # 718 g is the training rows' mean
}


def test_every_example_is_tested():
    assert {name.partition(":")[0] for name in LEARNED} == {path.name for path in FOLDER.glob("*.py")}


@pytest.mark.parametrize("name", LEARNED)
def test_the_last_command_of_an_example_runs_from_any_folder(name, tmp_path):
    described = ast.get_docstring(ast.parse((FOLDER / name.partition(":")[0]).read_text()))
    command = [line.strip() for line in described.splitlines() if line.strip().startswith("fallline compare ")][-1]
    _, *words = shlex.split(command.replace(f"examples/{name}", str(FOLDER / name)))
    words = [*shortened(words, ["--epochs", "2", "--seeds", "1", "--final-seeds", "1", "--threads", "1"]), "--json"]
    run = fallline(*words, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "Warning" not in run.stderr
    document = json.loads(run.stdout)
    assert document["ranking"][0]["problem"] == name.partition(":")[2]
    assert len(document["members"]) >= 3
    for member in document["members"]:
        assert member["outcome"] == "finished"
        assert member["curves"]["train_loss"][-1] < member["curves"]["train_loss"][0]


@pytest.mark.parametrize("name", LEARNED)
def test_an_example_learns(name, tmp_path):
    lr, epochs, metric, bound = LEARNED[name]
    problem = fl.problems.load(str(FOLDER / name))
    results = fl.compare(
        problem,
        ["adam"],
        protocol="sweep",
        lrs=[lr],
        epochs=epochs,
        seeds=1,
        threads=1,
        store=tmp_path / "store",
        progress=False,
    )
    (record,) = results.records
    found = record.final(f"test_{metric}")
    assert found < bound if metric.endswith("error") else found > bound


@pytest.mark.parametrize("name", LEARNED)
def test_the_script_of_an_example_runs(name, tmp_path, monkeypatch, capsys):
    whole = fl.compare
    short = {"lrs": [0.03], "epochs": 1, "seeds": 1, "final_seeds": 1, "threads": 1, "progress": False}
    monkeypatch.setattr(fl, "compare", lambda *given, **named: whole(*given, **{**named, **short}))
    monkeypatch.chdir(tmp_path)
    file, _, problem = name.partition(":")
    runpy.run_path(str(FOLDER / file), run_name="__main__")
    assert capsys.readouterr().out.startswith(f"{problem}: 1 epoch")

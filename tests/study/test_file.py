import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

import fallline as fl
from fallline.api import study_of_file
from fallline.errors import InputError
from fallline.study import read_results
from fallline.study.defaults import CLASSICAL
from fallline.study.file import read_study_file
from fallline.study.specification import Specification
from fallline.study.toml import nameless, study_toml
from tests.study.studies import curves, same

X = torch.linspace(-1, 1, 24)[:, None]


def model(width=2, act="relu", scale=None):
    return nn.Sequential(nn.Linear(1, width), nn.ReLU() if act == "relu" else nn.Tanh(), nn.Linear(width, 1))


small = fl.Problem(
    model=model,
    loss=mse_loss,
    train=(X, X),
    name="small",
    factors={"width": 2, "act": "relu", "scale": None},
    target="train_loss<=0.1",
)
loaded = fl.Problem(
    model=model, loss=mse_loss, train=DataLoader(TensorDataset(X, X), batch_size=6), name="loaded", validation=(X, X)
)


def made(rows="24", slope=1.0):
    x = X[: int(rows)]
    return fl.Problem(model=nn.Linear(1, 1), loss=mse_loss, train=(x, float(slope) * x), name="made", batch_size=3)


@dataclass(frozen=True)
class Odd(fl.Rule):
    """A rule with a second field that is searched, a switch, an optional number and a text."""

    lr: float = 0.1
    pull: float = 1.0
    damp: float | None = None
    fast: bool = False
    kind: str = "a|b"
    search: ClassVar = {"lr": fl.LogRange(1e-3, 1e-1), "pull": fl.LogRange(0.1, 10)}

    def init(self, p):
        return {}

    def step(self, p, g, state, now):
        return self.lr * self.pull * g, {}


def heavy(name, parameter, module):
    return parameter.ndim > 1


def run(tmp_path, *arguments, **changes):
    given = {"protocol": "sweep", "steps": 1, "seeds": 1, "threads": 1, "progress": False, "store": tmp_path / "s"}
    return fl.compare(*arguments, **{**given, **changes})


def specification_of(path, **changes):
    return study_of_file(path, runner="loop", threads=1, **changes).specification


STUDIES = {
    "names": (["cubic:noise=0.2,rows=100", "linear"], ["sgd", "adam:beta1=0.8|0.9,weight_decay=0.01"], {}),
    "values": (
        "cubic",
        [
            "torch.optim.AdamW:lr=1e-5..1e-3,amsgrad=true",
            torch.optim.NAdam,
            "muon:lr=0.1",
            "momentum:lr=0.1",
            "momentum:lr=0.30000000000000004",
            fl.rules.RMSprop(lr=1 / 3, momentum=0.5),
            fl.rules.RMSprop(lr=0.1),
            "Adadelta:lr=1e-17",
        ],
        {},
    ),
    "own": (
        "small",
        ["Odd", "Odd:lr=0.1", "Odd:pull=2,damp=none|0.5,fast=true|false", "sgd"],
        {"lrs": [0.1, 0.2], "vary": {"width": [2, 3], "act": ["relu", "none"], "scale": [None, 1.5]}},
    ),
    "instances": ("small", [Odd(), fl.rules.Adam()], {"vary": {"l1": [0, 0.1], "patience": [None, 2]}}),
    "loader": ("loaded", ["sgd:lr=0.1"], {"target": "validation_loss<=0.5", "losses_every": 2, "seeds": 2}),
    "full": ("small", ["adam:lr=1e-3..0.1", "sgd:lr=0.1|0.2"], {"protocol": "full", "final_seeds": 2, "trials": 3}),
    "drawn": (
        "small",
        ["adam", "momentum:momentum=0.5|0.9"],
        {"protocol": "full", "search": "sobol", "trials": 2, "seeds": 1, "final_seeds": 1, "tuning_repeats": 2},
    ),
    "extra": ("small", ["adam:lr=1e-3..0.3"], {"protocol": "full", "extra_trials": 1, "trials": 3, "final_seeds": 1}),
    "all": (
        ["made:rows=20,slope=2.0", "small"],
        ["sgd"],
        {
            "lrs": fl.log(1e-3, 1, 4),
            "vary": {"l2": [0.0, 1e-5]},
            "schedules": ["constant", "cosine:warmup=0.1"],
            "penalise": heavy,
            "batch_sizes": [4, 5],
            "steps": None,
            "epochs": 2,
            "seed": 7,
            "validation": 0,
            "order": "fixed",
            "target": "train_loss<=0.3",
            "evaluate_every": 3,
            "diagnostics": "layers",
        },
    ),
}
"""Problems, optimizers and options; names of this file's own things are completed below."""


def completed(name):
    """A name of this file as a reference to it."""
    head = name.partition(":")[0] if isinstance(name, str) else ""
    return f"{__file__}:{name}" if head in ("small", "loaded", "made", "Odd") else name


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_written_as_a_file_and_read_again_is_the_same(tmp_path, name):
    problems, optimizers, options = STUDIES[name]
    problems = [completed(problem) for problem in ([problems] if isinstance(problems, str) else problems)]
    given = [completed(optimizer) for optimizer in optimizers]
    first = run(tmp_path, problems, given, **options).specification
    path = tmp_path / "study.toml"
    path.write_text(study_toml(first), encoding="utf-8")
    again = specification_of(path)
    assert again == first
    assert again.model_dump_json() == first.model_dump_json()
    assert again.digest == first.digest
    assert study_toml(again) == study_toml(first)
    assert nameless(first) == []


def test_a_file_gives_the_study_of_the_same_arguments(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        """
        problems = "cubic"
        protocol = "sweep"
        lrs = "0.01:0.1:2"
        epochs = 1
        seeds = 2
        order = "fixed"
        optimizers = ["adam", {name = "sgd", label = "plain", lr = "0.1|0.5"}, {name = "muon", others.lr = 0.01}]
        [vary]
        beta1 = 0.8
        patience = ["none", 2]
        """
    )
    filed = fl.compare_file(path, store=tmp_path / "a", threads=1, runner="loop", progress=False)
    called = fl.compare(
        "cubic",
        ["adam", "sgd:lr=0.1|0.5", "muon:others.lr=0.01"],
        protocol="sweep",
        lrs=[0.01, 0.1],
        epochs=1,
        seeds=2,
        order="fixed",
        vary={"beta1": 0.8, "patience": [None, 2]},
        store=tmp_path / "b",
        threads=1,
        runner="loop",
        progress=False,
    )
    assert [o.label for o in filed.specification.optimizers] == ["adam", "plain", "muon+adamw"]
    for mine, theirs in zip(filed.records, called.records, strict=True):
        assert mine["hyperparameters"] == theirs["hyperparameters"]
        assert mine.curve.columns["train_loss"] == theirs.curve.columns["train_loss"]
    again = fl.resume(tmp_path / "a", progress=False)
    assert same(curves(again), curves(filed))
    with pytest.raises(
        InputError, match=r"holds another study \(label|holds another study \(optimizer: adam and plain"
    ):
        fl.compare("cubic", ["adam"], protocol="sweep", store=tmp_path / "a", progress=False)


def test_optimizers_left_out_are_those_of_compare(tmp_path):
    (tmp_path / "study.toml").write_text('problems = ["quadratic-deep"]\nsteps = 1\n')
    spec = specification_of(tmp_path / "study.toml")
    assert [o.label for o in spec.optimizers] == list(CLASSICAL)
    assert (spec.batch_sizes, spec.seeds, spec.order) == ((128,), 3, "reshuffle")


def test_paths_in_a_file_are_seen_from_its_folder(tmp_path, monkeypatch):
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "mine.py").write_text(
        "import torch, fallline as fl\nx = torch.ones(20, 1)\n"
        "ones = fl.Problem(model=lambda: torch.nn.Linear(1, 1), loss=torch.nn.MSELoss(), train=(x, x), name='ones')\n"
        "class Mine(torch.optim.SGD): pass\n"
        "def heavy(name, parameter, module): return True\n"
    )
    (tmp_path / "studies" / "study.toml").write_text(
        'problems = ["mine.py:ones"]\noptimizers = ["sgd:lr=0.1", {name = "sgd", lr = 0.2}]\nsteps = 1\n'
        'penalise = "mine.py:heavy"\nvary = {l1 = 0.1}'
    )
    monkeypatch.chdir(tmp_path)
    spec = specification_of(Path("studies/study.toml"))
    assert spec.problems[0].source == f"{tmp_path}/studies/mine.py:ones"
    assert spec.penalise == f"{tmp_path}/studies/mine.py:heavy"
    assert [o.label for o in spec.optimizers] == ["sgd:lr=0.1", "sgd:lr=0.2"]


def test_all_that_is_wrong_is_said_at_once_and_where(tmp_path):
    (tmp_path / "study.toml").write_text(
        """
        problms = 3
        problems = ["cubic", {name = "cubic", options = {noise = "much"}}, {name = "linear", option = {rows = 3}}]
        optimizers = ["adm", "sgd", {name = "momentum", lr = -1, momentm = 0.9, momentum = [0.5, "x"]}, {lr = 3}, 5,
                      {name = "sgd:lr=0.1", lr = 0.2}]
        lrs = [0.1, 0]
        epochs = 0
        seeds = "three"
        seed = 1.5
        order = "random"
        schedules = "cosin"
        penalise = "weight"
        target = "accuracy"
        runner = "loop"
        batch_sizes = [8, -1]
        """
    )
    with pytest.raises(InputError) as caught:
        read_study_file(tmp_path / "study.toml")
    head, *lines = str(caught.value).splitlines()
    assert head.endswith("study.toml is no study:")
    said = dict(line.strip().split(": ", 1) for line in lines)
    for place, message in {
        "problms": "nobody knows this name. Did you mean 'problems'?",
        "runner": "nobody knows this name. It is no part of a study, and is given beside the file.",
        "problems.1": "problem cubic: noise must be a number; got 'much'.",
        "problems.2.option": "nobody knows this name. Did you mean 'options'?",
        "optimizers.0": "'adm' is no optimizer. Did you mean 'adam'?",
        "optimizers.2.lr": "momentum: lr must be a finite number of at least 0; got -1.",
        "optimizers.2.momentm": "'momentm' is no hyperparameter of momentum. Did you mean 'momentum'?",
        "optimizers.2.momentum": "momentum: momentum must be a number; got 'x'.",
        "optimizers.3.name": "field required",
        "optimizers.4": "must be a name, or a table with a name; got 5",
        "optimizers.5.lr": "'sgd:lr=0.1' gives values of lr too; leave one of them out",
        "lrs.1": "input should be greater than 0; got 0",
        "epochs": "input should be greater than or equal to 1; got 0",
        "seeds": "input should be a valid integer; got 'three'",
        "seed": "input should be a valid integer; got 1.5",
        "order": "input should be 'reshuffle' or 'fixed'; got 'random'",
        "schedules": "'cosin' is no schedule. Did you mean 'cosine'?",
        "penalise": "'weight' is no group rule. Did you mean 'weights'?",
        "target": "A target is QUANTITY>=VALUE",
        "batch_sizes.1": "input should be greater than or equal to 1; got -1",
    }.items():
        assert said.pop(place).startswith(message), place
    assert said == {}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("problems = [", "is no TOML"),
        ("", "problems: field required"),
        ("problems = []", "problems: "),
        ('problems = ["cubic"]\nepochs = 1\nsteps = 1', "steps: give either epochs or steps"),
        ('problems = ["cubic"]\n[vary]\ndropot = 1', "vary.dropot: 'dropot' is no factor .* Did you mean 'dropout'"),
        ('problems = ["cubic"]\n[vary]\nl1 = [0, "x"]', "vary.l1: "),
        ('problems = ["cubic"]\n[vary]\nl1 = []', "vary.l1: "),
        ('problems = ["cubic"]\noptimizers = ["sgd"]\n[vary]\nbeta1 = [0.5]', "vary.beta1: 'beta1' is no factor"),
        ('problems = ["cubic:noise=1", {name = "cubic:noise=1", options = {noise = 2}}]', "problems.1: Option noise"),
    ],
)
def test_a_file_that_is_no_study(tmp_path, written, message):
    (tmp_path / "study.toml").write_text(written)
    with pytest.raises(InputError, match=message):
        read_study_file(tmp_path / "study.toml")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.toml cannot be read \(from .*\): No such file"):
        read_study_file(tmp_path / "nowhere.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is no TOML"):
        read_study_file(tmp_path / "bytes.toml")


def test_what_was_made_in_python_is_written_with_a_comment(tmp_path):
    problem = fl.Problem(model=model, loss=mse_loss, train=(X, X), name="of\nmine")
    results = run(tmp_path, problem, [fl.wrappers.Clip(fl.rules.SGD(lr=0.1), norm=1.0), "sgd:lr=0.1"])
    text = study_toml(read_results(tmp_path / "s").specification)
    assert nameless(results.specification) == ["of\nmine", "Clip+sgd"]
    assert "# of mine was made in Python" in text
    written = tomllib.loads(text)
    assert [entry["name"] for entry in written["optimizers"]] == ["Clip+sgd", "sgd"]
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(InputError, match="problems.0: .*is no built-in problem"):
        read_study_file(tmp_path / "study.toml")


def test_numbers_keep_every_bit():
    values = (0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1e22, 1e-7, -0.0, 100.0)
    optimizer = {"label": "adam", "source": "adam", "kind": "Adam", "hyperparameters": {"lr": values}}
    spec = Specification(problems=[{"name": "cubic", "source": "cubic"}], optimizers=[optimizer], epochs=1)
    (written,) = tomllib.loads(study_toml(spec))["optimizers"]
    assert [x.hex() for x in written["lr"]] == [x.hex() for x in values]

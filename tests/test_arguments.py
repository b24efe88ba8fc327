"""Every argument of the public functions is given values of wrong types: it is an InputError or it is used."""

import inspect

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

import fallline as fl
from fallline.errors import InputError, MachineError, shown

X = torch.linspace(-1, 1, 80)[:, None]
WRONG = (3, -1, 2.5, "x", b"x", True, [], [1], ["l1"], {}, {"a": 1}, {1: 2}, {"l1": None}, None, (), X, object(), len)
"""Values of which most arguments can take few or none."""
SMALL = {"threads": 1, "progress": False}


def line(**changes):
    given = {"model": lambda: nn.Linear(1, 1), "loss": mse_loss, "train": (X, 2 * X), "name": "line"}
    return fl.Problem(**{**given, **changes})


def compare(**changes):
    given = {"problem": line(), "optimizers": ["sgd:lr=0.1"], "protocol": "sweep", "steps": 1, "seeds": 1}
    return fl.compare(**{**given, **SMALL, **changes})


def fit(**changes):
    return fl.fit(**{"problem": line(), "optimizer": "sgd:lr=0.1", "steps": 1, **SMALL, **changes})


def lr_find(**changes):
    return fl.lr_find(**{"problem": line(), "optimizer": "sgd", "steps": 2, "threads": 1, **changes})


def live(**changes):
    model = nn.Linear(1, 1)
    given = {"problem": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1), "loss": mse_loss}
    return fl.lr_find(**{**given, "data": (X, 2 * X), "steps": 2, "threads": 1, **changes})


def trace(**changes):
    return fl.trace(**{"on": "quadratic", "rule": fl.rules.SGD(lr=0.1), "steps": 1, **changes})


def used(**changes):
    return fit(problem=line(**changes))


def resume(**changes):
    return fl.resume(**{"folder": "nowhere", **changes})


def results(**changes):
    return fl.results(**{"folder": "nowhere", **changes})


CALLS = {
    compare: fl.compare,
    fit: fl.fit,
    lr_find: fl.lr_find,
    live: fl.lr_find,
    trace: fl.trace,
    used: fl.Problem,
    resume: fl.resume,
    results: fl.results,
}
ARGUMENTS = [(call, name) for call, function in CALLS.items() for name in inspect.signature(function).parameters]


@pytest.mark.parametrize(("call", "name"), ARGUMENTS, ids=[f"{call.__name__}-{name}" for call, name in ARGUMENTS])
def test_wrong_types_are_bad_input(call, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = {}
    for wrong in WRONG:
        try:
            call(**{name: wrong})
        except (InputError, MachineError) as error:
            said[shown(wrong)] = str(error)
        except Exception as error:
            raise AssertionError(f"{name}={shown(wrong)}") from error
    assert {wrong: message for wrong, message in said.items() if len(message) > 700} == {}


@pytest.mark.parametrize(
    ("call", "changes", "message"),
    [
        (fit, {"factors": {"l1": [0, 1]}}, r"one value of factor l1; got \[0, 1\]"),
        (fit, {"factors": "x"}, "factors must be a mapping"),
        (fit, {"batch_size": "8"}, "^batch_size must be a whole number of at least 1; got '8'"),
        (fit, {"schedule": 3}, "schedule"),
        (fit, {"penalise": "all"}, "penalise says what the factors l1"),
        (compare, {"vary": ["l1"]}, "vary must be a mapping such as .*; got \\['l1'\\]"),
        (compare, {"vary": {1: 2}}, "vary must have names as keys"),
        (compare, {"store": 3}, "store must be a path"),
        (compare, {"progress": 3}, "progress must be true, false or a watcher"),
        (compare, {"batch_sizes": [8, 0]}, "^batch_sizes must be a whole number of at least 1; got 0"),
        (compare, {"lrs": [0.1]}, "^lrs gives values of lr that nobody would try: sgd names its own"),
        (compare, {"problem": line(factors={"size": 4}), "vary": {"size": [[1]]}}, r"like its default 4; got \[1\]"),
        (line, {"metrics": [1]}, "metrics must be a mapping"),
        (line, {"metrics": None}, "metrics must be a mapping"),
        (line, {"name": 3}, "name must be text; got 3"),
        (trace, {"start": X}, r"start must be two finite numbers x1,x2; got Tensor float32\[80, 1\]"),
    ],
)  # fmt: skip
def test_the_message_names_the_argument(call, changes, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        call(**changes)
    assert not list(tmp_path.iterdir())


def test_rates_for_all_serve_those_that_name_none(tmp_path):
    found = compare(optimizers=["sgd:lr=0.1", "adam"], lrs=[0.5], store=tmp_path / "s")
    assert {record["optimizer"]: record["hyperparameters"]["lr"] for record in found.records} == {
        "sgd": 0.1,
        "adam": 0.5,
    }


def test_a_penalty_that_is_off_may_be_told_what_it_acts_on(tmp_path):
    assert fit(factors={"l1": 0.0}, penalise="all", store=tmp_path / "f").outcome.step == 1


def test_wrong_values_are_shown_on_one_short_line():
    assert shown(torch.zeros(50, 40)) == "Tensor float32[50, 40]"
    assert shown([torch.zeros(500)] * 2) == "[Tensor float32[500], Tensor float32[500]]"
    assert shown(torch.tensor(0.5)) == "tensor(0.5000)"
    assert shown("cosine:warmup=0.1") == "'cosine:warmup=0.1'"
    for long in (
        "x" * 10_000,
        list(range(10_000)),
        nn.Sequential(*[nn.Linear(2, 2)] * 50),
        {i: i for i in range(1000)},
    ):
        assert len(shown(long)) <= 130
        assert "\n" not in shown(long)


def test_results_are_told_in_one_line(tmp_path):
    found = compare(optimizers=["sgd:lr=0.1"], store=tmp_path / "s")
    loss = found.ranking[0].score
    assert repr(found) == (
        f"<Results in {tmp_path / 's'}: 1 of 1 members; best on line sgd (lr=0.1), validation loss {loss:.4g}>"
    )
    assert repr(fl.results(tmp_path / "s")) == repr(found)

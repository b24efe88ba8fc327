"""What tells functions and objects apart, and what does not."""

import copyreg
import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from fallline.errors import InputError
from fallline.rules import SGD
from fallline.study.fingerprint import changed, fingerprint
from tests.study import things
from tests.study.studies import compare, line
from tests.study.things import (
    DIFFERENT,
    EVERYTHING,
    WITHOUT_BYTES,
    Loss,
    Node,
    Slotted,
    Trainer,
    absolute,
    accumulating,
    configured,
    counted,
    squared,
    timed,
    totalled,
    weighted,
)


def test_different_things_have_different_fingerprints_and_the_same_one_its_own():
    found = [fingerprint(thing) for thing in DIFFERENT]
    alike = [
        (i, j) for i, one in enumerate(found) for j, other in enumerate(found) if i < j and not changed(one, other)
    ]
    assert not alike
    assert [fingerprint(thing) for thing in DIFFERENT] == found


@pytest.mark.parametrize("thing", WITHOUT_BYTES)
def test_what_has_no_values_is_known_by_what_else_it_is(thing):
    assert fingerprint(thing) == fingerprint(thing)


@pytest.mark.parametrize(
    "loss", [counted(), Loss(1.0), totalled(), Trainer().loss, timed(absolute), accumulating()], ids=range(6)
)
def test_what_changes_as_it_runs_is_left_out(loss):
    before = fingerprint(loss)
    loss(torch.ones(1), torch.zeros(1))
    assert not changed(before, fingerprint(loss))


@pytest.mark.parametrize("kind", [Slotted, Node, Loss, SGD])
def test_marks_that_others_leave_in_classes_are_left_out(kind):
    before = fingerprint(kind)
    copyreg._slotnames(kind)
    assert "__slotnames__" in vars(kind)
    assert not changed(before, fingerprint(kind))


def test_numbers_that_a_function_reads_outside_belong_to_it(monkeypatch):
    before = fingerprint(squared)
    monkeypatch.setattr(things, "RATE", 2.0)
    assert changed(before, fingerprint(squared)) == ["RATE"]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_finds_the_same(seed):
    told = "import json, tests.study.test_fingerprint as t; print(json.dumps([*map(t.fingerprint, t.EVERYTHING)]))"
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", told],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    ).stdout
    assert [changed(one, fingerprint(thing)) for one, thing in zip(json.loads(found), EVERYTHING, strict=True)] == [
        []
    ] * len(EVERYTHING)


@pytest.mark.parametrize(
    ("others", "what"),
    [
        ({"loss": squared}, "the loss of line"),
        ({"loss": weighted(2.0)}, "the loss of line"),
        ({"metrics": {"off_error": squared}}, "the metric off_error of line"),
        ({"model": lambda: nn.Sequential(nn.Linear(1, 1), nn.Tanh())}, "the model of line"),
    ],
)
def test_a_study_does_not_go_on_with_another_function_of_the_same_file(tmp_path, others, what):
    given = {"loss": absolute, "metrics": {"off_error": absolute}, "model": lambda: nn.Sequential(nn.Linear(1, 1))}
    compare(tmp_path, line(**given))
    compare(tmp_path, line(**given))
    with pytest.raises(InputError, match=f"cannot go on: {what} changed since it began"):
        compare(tmp_path, line(**{**given, **others}))


def test_a_study_that_does_not_go_on_says_what_its_loss_reads_otherwise(tmp_path):
    compare(tmp_path, line(loss=configured(delta=1.0)))
    with pytest.raises(InputError, match=r"cannot go on: the loss of line \(settings.delta\) changed since it began"):
        compare(tmp_path, line(loss=configured(delta=5.0)))

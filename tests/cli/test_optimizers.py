"""`fallline optimizers`."""

import json

import pytest
import typer

from fallline.cli.guard import guarded
from fallline.cli.optimizers import optimizers


def test_the_list_holds_rules_and_wrappers(capsys):
    optimizers()
    told = capsys.readouterr().out
    assert "\nlookahead " in told
    assert "state: 2 words per weight (exp_avg, exp_avg_sq); 3 with amsgrad" in told
    assert max(map(len, told.splitlines())) <= 100


def test_one_is_printed_in_full_with_its_formula(capsys):
    optimizers("Adam")
    told = capsys.readouterr().out
    assert told.startswith("adam, fallline.rules.Adam\n")
    assert "lr=0.001 (at least 0; searched 1e-05..0.1)" in told
    assert "executors: reference, foreach, compiled, population; " in told
    assert "    direction = debias(m, self.beta1, now.t) / (sqrt(debias(v, self.beta2, now.t)) + self.eps)" in told


def test_one_as_json(capsys):
    optimizers("sam", json=True)
    entry = json.loads(capsys.readouterr().out)
    assert entry["further_gradients"] == {"holds": True, "changed_by": []}
    assert "now.gradient" in entry["formula"]


def test_an_unknown_name_is_bad_input(capsys):
    with pytest.raises(typer.Exit) as left:
        guarded(optimizers)("adm")
    assert left.value.exit_code == 2
    assert capsys.readouterr().err.startswith("Error: 'adm' is no optimizer or wrapper. Did you mean 'adam'?")

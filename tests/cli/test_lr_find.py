import json

import pytest

from fallline.cli.app import app

FAST = ["--steps", "30", "--threads", "1"]


@pytest.fixture
def fallline(tmp_path, monkeypatch, capsys):
    """Run a command inside a folder of its own: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        with pytest.raises(SystemExit) as end:
            app([*map(str, words)])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run


def test_a_suggestion_with_its_reason_picture_and_next_command(fallline, tmp_path):
    code, out, err = fallline("lr-find", "linear", "-o", "momentum:momentum=0.8", *FAST, "--batch-size", 32)
    assert code == 0
    headline, reason, picture, following = out.splitlines()
    rate = float(headline.removeprefix("momentum on linear: learning rate "))
    assert 0.001 < rate < 1
    assert "After 30 steps the validation loss fell from" in reason
    assert picture == "Picture: lr-find-linear.png"
    assert (tmp_path / "lr-find-linear.png").stat().st_size > 10_000
    assert following.startswith("Next:    fallline compare linear -o momentum:momentum=0.8,lr=")
    assert following.endswith("--batch-size 32")
    assert "ramp: 100 steps from 1e-06 to 10" in err


def test_the_next_command_runs(fallline):
    _, out, _ = fallline("lr-find", "linear", "-o", "sgd", *FAST, "--quiet")
    words = out.splitlines()[-1].removeprefix("Next:    fallline ").split()
    small = ["--epochs", "1", "--seeds", "1", "--threads", "1", "--quiet", "--json"]
    code, out, _ = fallline(*words, *small)
    assert code == 0
    assert len(json.loads(out)["members"]) == 7 + 10


def test_declining_is_no_failure(fallline, tmp_path):
    code, out, err = fallline("lr-find", "linear", "-o", "sgd", "--high", "1e-3", *FAST, "--quiet", "--out", "a.svg")
    assert code == 0
    assert out.splitlines()[0] == "sgd on linear: no suggestion"
    assert "the highest that was tried" in out
    assert "Next:" not in out
    assert err == ""
    assert (tmp_path / "a.svg").stat().st_size > 10_000


def test_json_is_one_document_and_nothing_else(fallline, tmp_path):
    code, out, _ = fallline("lr-find", "linear", "-o", "sgd", *FAST, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["optimizer"] == "sgd"
    assert document["suggestion"] > 0
    assert set(document["ramp"]) == {"lr", "loss", "smoothed"}
    assert {trial["loss"] is None for trial in document["fan"]} == {True, False}
    assert list(tmp_path.iterdir()) == []
    assert json.loads(fallline("lr-find", "linear", "-o", "sgd", *FAST, "--json")[1]) == document


MISTAKES = [
    (["lr-find"], "PROBLEM"),
    (["lr-find", "linnear"], "Did you mean 'linear'"),
    (["lr-find", "linear", "-o", "adm"], "Did you mean 'adam'"),
    (["lr-find", "linear", "-o", "sgd:lr=0.1"], "sets lr"),
    (["lr-find", "linear", "-o", "momentum:momentum=0.8|0.9"], "2 settings"),
    (["lr-find", "linear", "-o", "rule.py:Fixed"], "no learning rate"),
    (["lr-find", "linear", "--low", "1", "--high", "0.1"], "0 < low < high"),
    (["lr-find", "linear", "--low", "0"], "0 < low < high"),
    (["lr-find", "linear", "--high", "nan"], "0 < low < high"),
    (["lr-find", "linear", "--steps", "0"], "at least 1"),
    (["lr-find", "linear", "--batch-size", "0"], "--batch-size must be"),
    (["lr-find", "linear", "-o", "sgd", "-o", "adam"], "--optimizer is given 2 times"),
    (["lr-find", "linear", "--device", "tpu9"], "cannot be used here"),
    (["lr-find", "linear", "--threads", "0"], "threads"),
    (["lr-find", "linear", "--out", "picture.doc"], "picture.doc"),
    (["lr-find", "mnist", "--data-dir", "/nowhere"], "--data-dir"),
]

FIXED = """
from dataclasses import dataclass
from fallline.rules import Rule

@dataclass(frozen=True)
class Fixed(Rule):
    rate: float = 0.1

    def step(self, p, g, state, now):
        return self.rate * g, state
"""


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_mistakes_exit_with_2_and_leave_nothing_behind(fallline, tmp_path, words, message):
    (tmp_path / "rule.py").write_text(FIXED)
    code, out, err = fallline(*words)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["rule.py"]

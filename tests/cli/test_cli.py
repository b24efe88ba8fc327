import json
import os
import signal
import subprocess
import sys

import pytest

from fallline.cli.app import app
from fallline.cli.guard import Terminated, guarded
from fallline.cli.main import main
from fallline.errors import InputError, MachineError
from tests.terminal import ENVIRONMENT, fallline, in_own_process

SMALL = ["--protocol", "sweep", "--epochs", "1", "--seeds", "1", "--threads", "1", "--quiet"]


@pytest.mark.parametrize("words", [["--help"], ["compare", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words):
    code = (
        f"import sys; sys.argv = ['fallline', *{words}]\n"
        "from fallline.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'plotly', 'rich', 'sqlite3'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy), len(sys.modules), file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    told = run.stderr.strip().splitlines()[-1]
    assert told.startswith("HEAVY [] "), run.stderr
    assert int(told.split()[-1]) < 400


def test_the_package_root_is_lazy():
    code = "import sys, fallline; fallline.__version__; dir(fallline); assert 'torch' not in sys.modules; fallline.log"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_compare_prints_the_table_the_line_to_paste_and_where_the_report_lies(tmp_path):
    run = in_own_process("compare", "digits", "-o", "sgd:lr=0.1|0.5", "-o", "adam:lr=0.01", *SMALL, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "adam" in run.stdout
    assert "torch.optim." in run.stdout
    folder = tmp_path / "runs" / "digits-0001"
    assert {"report.html", "curves.png", "sensitivity.png", "study.sqlite", "weights"} <= set(os.listdir(folder))
    lines = run.stdout.strip().splitlines()
    assert "report.html" in lines[-3]
    assert lines[-1].startswith("Next:")
    again = in_own_process("report", folder)
    assert again.returncode == 0
    assert "torch.optim." in again.stdout


def test_json_is_one_document_and_nothing_else(tmp_path):
    words = ["compare", "digits", "-o", "sgd:lr=0.1|1e6", "--store", tmp_path / "s", "--json", *SMALL]
    run = fallline(*words)
    document = json.loads(run.stdout)
    assert run.returncode == 0
    assert len(document["members"]) == 2
    assert {member["outcome"] for member in document["members"]} == {"finished", "diverged"}
    assert document["environment"]["command"].startswith("fallline compare digits")
    assert json.loads(fallline("report", tmp_path / "s", "--json").stdout)["members"] == document["members"]


def test_the_same_command_twice_gives_the_same_curves(tmp_path):
    words = ["compare", "digits", "-o", "adam:lr=0.01", "--json", *SMALL]
    first, again = (json.loads(fallline(*words, cwd=tmp_path).stdout) for _ in range(2))
    other = json.loads(fallline(*words, "--seed", 1, cwd=tmp_path).stdout)
    curves = [document["members"][0]["curves"] for document in (first, again, other)]
    assert curves[0] == curves[1]
    assert curves[0]["train_loss"] != curves[2]["train_loss"]


def test_trace_gives_the_published_digits(tmp_path):
    words = ["trace", "quadratic", "-o", "adagrad:lr=0.4,eps=1e-6,eps_inside_root=true", "--start", "-5,-2"]
    document = json.loads(fallline(*words, "--steps", 20, "--json").stdout)
    assert document["surface"] == "quadratic"
    assert [f"{x:.6f}" for x in document["path"][-1]] == ["-2.382563", "-0.158591"]
    run = fallline(*words, "--out", tmp_path / "path.png")
    assert run.returncode == 0
    assert (tmp_path / "path.png").stat().st_size > 10_000


RULE = """
from dataclasses import dataclass
from torch import sqrt, zeros_like
from fallline.rules import Rule

@dataclass(frozen=True)
class Mine(Rule):
    lr: float = 0.01
    eps: float = 1e-10

    def init(self, p):
        return {"sum": zeros_like(p)}

    def step(self, p, g, state, now):
        s = state["sum"] + g * g
        return self.lr * g / (sqrt(s) + self.eps), {"sum": s}
"""


def test_a_rule_of_ones_own(tmp_path):
    (tmp_path / "my_rule.py").write_text(RULE)
    words = ["compare", "digits", "-o", "my_rule.py:Mine:lr=0.1", "-o", "adagrad:lr=0.1", "--json", *SMALL]
    mine, theirs = json.loads(fallline(*words, cwd=tmp_path).stdout)["members"]
    assert mine["optimizer"] == "Mine"
    assert mine["curves"]["train_loss"] == pytest.approx(theirs["curves"]["train_loss"], rel=1e-5)
    assert fallline("trace", "beale", "-o", "my_rule.py:Mine", "--json", cwd=tmp_path).returncode == 0
    proved = fallline("check", "my_rule.py:Mine", "--against", "torch.optim.Adagrad", cwd=tmp_path)
    assert proved.returncode == 0, proved.stdout
    (tmp_path / "wrong_rule.py").write_text(RULE.replace("g * g", "2 * g * g"))
    wrong = fallline("check", "wrong_rule.py:Mine", "--against", "torch.optim.Adagrad", cwd=tmp_path)
    assert wrong.returncode == 1
    assert "first differs at step 1, parameter 0" in wrong.stdout


def test_hyperparameters_and_options_are_varied_from_the_command_line(tmp_path):
    words = ["compare", "digits:hidden=16-8", "-o", "momentum:lr=0.1", "--vary", "momentum=0.8,0.9", "--json", *SMALL]
    members = json.loads(fallline(*words, cwd=tmp_path).stdout)["members"]
    assert [member["hyperparameters"]["momentum"] for member in members] == [0.8, 0.9]
    assert members[0]["problem"] == "digits:hidden=16-8"


def test_lists_and_doctor():
    assert "adadelta" in fallline("optimizers").stdout
    assert "mnist" in fallline("problems").stdout
    assert {entry["name"] for entry in json.loads(fallline("optimizers", "--json").stdout)["optimizers"]} >= {
        "sgd",
        "adam",
    }
    assert "torch" in fallline("doctor").stdout


MISTAKES = [
    (["compare"], "Name a problem"),
    (["compare", "digitz"], "Did you mean 'digits'"),
    (["compare", "digits", "-o", "adm"], "Did you mean 'adam'"),
    (["compare", "digits", "-o", "adam:lrr=1"], "Did you mean 'lr'"),
    (["compare", "digits", "-o", "adam:lr=0"], "above 0"),
    (["compare", "digits", "--lr", "0,1"], "above 0"),
    (["compare", "digits", "--lr", "nan"], "lr must be"),
    (["compare", "digits", "--lr", "1:2"], "LOW:HIGH:COUNT"),
    (["compare", "digits", "--epochs", "0"], "epochs"),
    (["compare", "digits", "--epochs", "many"], "--epochs"),
    (["compare", "digits", "--batch-size", "0"], "--batch-size must be a whole number of at least 1; got 0."),
    (["compare", "digits", "--seeds", "0", "--order", "x"], "Error: --seeds: input should be greater"),
    (["compare", "digits", "--lr", "0.1", "--lr", "1"], "--lr is given 2 times"),
    (["compare", "digits", "-o", "adam:lr=0.1", "-o", "sgd:lr=1", "--lr", "0.1"], "adam and sgd names its own"),
    (["compare", "digits", "--lr", "0.1", "--vary", "lr=1"], "--lr gives learning rates, and so does vary"),
    (["compare", "digits", "-o", "adam:lr=0.1,beta1=0.8", "--vary", "beta1=0.7,0.9"], "--vary gives values of beta1"),
    (["compare", "digits", "-o", "adam:weight_decay=0.1", "--penalise", "all"], "--penalise says what the factors l1"),
    (["compare", "digits", "-o", "sgd:lr=0.1,0.2"], "written lr=0.1|0.2"),
    (["compare", "digits", "--vary", "label_smoothing=1.5"], "must be a number from 0 to 1"),
    (["trace", "quadratic", "-o", "sgd:lr=0.1", "-o", "adam"], "--optimizer is given 2 times"),
    (["compare", "digits", "--batch-size", "2000"], "larger than the 1150 training rows"),
    (["compare", "digits", "--vary", "depth=1"], "no factor"),
    (["compare", "digits", "--vary", "hidden"], "KEY=A,B"),
    (["compare", "digits", "-o", "adam:"], "nothing follows the colon"),
    (["compare", "own.py"], "There is no file own.py"),
    (["compare", "digits:hiden=3"], "Did you mean 'hidden'"),
    (["compare", "digits", "--order", "random"], "order"),
    (["compare", "digits", "--target", "speed>=1"], "no recorded quantity"),
    (["compare", "digits", "--device", "tpu9"], "cannot be used here"),
    (["compare", "digits", "--store", "/proc/here"], "cannot be written"),
    (["compare", "nowhere.py:problem"], "no file nowhere.py"),
    (["compare", "mnist", "--data-dir", "/nowhere"], "--data-dir"),
    (["trace", "bowl", "-o", "sgd"], "no surface"),
    (["trace", "quadratic", "-o", "sgd:lr=0.1", "--start", "1"], "two numbers X,Y"),
    (["trace", "quadratic", "-o", "sgd:lr=0.1", "--steps", "0"], "at least 1"),
    (["trace", "quadratic", "-o", "sgd:lr=0.1", "--out", "picture.doc"], "picture.doc"),
    (["check", "torch.nn.Linear"], "proves a rule"),
    (["check", "adam", "--against", "torch.nn.Linear"], "torch.optim"),
    (["resume", "/nowhere"], "There is no folder /nowhere"),
    (["report", "/nowhere"], "There is no folder /nowhere"),
    (["resume", "."], "no study"),
    (["gallery", "nothing"], "nothing"),
    (["gallery", "--all", "extra"], "Give names or --all"),
    (["compare", "digits", "--vary", "l1=0", "--vary", "l1=1"], "gives l1 twice"),
    (["frobnicate"], "frobnicate"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_mistakes_exit_with_2_and_say_what_to_do(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        app(words)
    assert end.value.code == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InputError("no"), 2, "Error: no"),
        (MachineError("disk"), 3, "Error: disk"),
        (OSError(28, "No space left on device"), 3, "No space left"),
        (MemoryError(), 3, "out of memory"),
        (KeyboardInterrupt(), 130, "Interrupted."),
    ],
)
def test_exit_codes(error, code, told, capsys):
    def command():
        error.add_note("To go on: fallline resume here")
        raise error

    with pytest.raises(Exception) as caught:
        guarded(command)()
    assert caught.value.exit_code == code
    captured = capsys.readouterr().err
    assert told in captured
    assert "fallline resume here" in captured


def test_a_signal_before_the_command_begins_is_no_traceback(monkeypatch, capsys):
    def starting():
        raise Terminated

    monkeypatch.setattr(sys.modules["fallline.cli.main"], "app", starting)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as end:
            main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (end.value.code, capsys.readouterr().err) == (143, "Terminated.\n")


def test_explain_says_who_would_train_how_and_trains_nothing(tmp_path):
    once = ["compare", "cubic", "-o", "sgd", *SMALL, "--explain"]
    told = fallline(*once, cwd=tmp_path)
    assert told.returncode == 0
    assert "7 members: loop, 1 thread." in told.stdout
    assert "one after another" in told.stdout
    assert not list(tmp_path.iterdir())
    full = fallline("compare", "cubic", "-o", "sgd", "--epochs", "1", "--extra-trials", "2", "--explain", cwd=tmp_path)
    assert "31 members" in full.stdout
    assert "Searched: sgd lr 0.001 to 10 in 7 steps (digest" in full.stdout
    assert "Where one did best at an edge, each gets 2 more." in full.stdout
    assert "trained again on 10 fresh seeds: 10 members" in full.stdout
    plan = fallline(*once, "--runner", "population", "--json", cwd=tmp_path)
    assert [len(own["members"]) for own in json.loads(plan.stdout)["plan"]["populations"]] == [7]

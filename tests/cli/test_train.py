import json

import pytest
import torch

from fallline.problems import load
from fallline.training.checkpoint import read_checkpoint
from tests.terminal import fallline, in_own_process

SMALL = ["--epochs", "2", "--threads", "1"]


def test_train_prints_the_table_the_confusion_and_how_to_load_the_weights(tmp_path):
    run = in_own_process("train", "digits", "-o", "adam:lr=0.01", *SMALL, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stderr.startswith("Training 36 steps.")
    folder = tmp_path / "runs" / "digits-fit-0001"
    files = {"fit.json", "last.safetensors", "best.safetensors", "weights.safetensors", "curves.png"}
    assert files <= {path.name for path in folder.iterdir()}
    lines = run.stdout.splitlines()
    assert lines[0].startswith("digits, adam (lr=0.01): finished after 36 steps")
    assert [line.split()[0] for line in lines[2:6]] == ["loss", "training", "validation", "test"]
    assert "Confusion on test data" in run.stdout
    assert max(map(len, lines)) <= 100
    assert lines[-2] == "from safetensors.torch import load_file"
    assert lines[-1] == 'model.load_state_dict(load_file("runs/digits-fit-0001/weights.safetensors"))'


def test_train_json_is_one_document_and_the_same_command_or_resume_reports_it_again(tmp_path):
    words = ["train", "digits", "-o", "momentum:lr=0.1", "--with", "dropout=0.2", "--with", "l1=1e-5", "--patience", 5]
    words += [*SMALL, "--schedule", "cosine", "--batch-size", 32, "--seed", 4, "--store", tmp_path / "f", "--json"]
    run = fallline(*words, "--quiet")
    document = json.loads(run.stdout)
    assert (run.returncode, run.stderr) == (0, "")
    assert {name: document[name] for name in ("problem", "optimizer", "schedule", "batch_size", "seed", "outcome")} == {
        "problem": "digits",
        "optimizer": "momentum",
        "schedule": "cosine",
        "batch_size": 32,
        "seed": 4,
        "outcome": "finished",
    }
    assert document["factors"] == {"hidden": "64", "dropout": 0.2, "batch_norm": False, "l1": 1e-5, "patience": 5.0}
    assert document["hyperparameters"]["lr"] == 0.1
    assert document["outcome_step"] == document["curves"]["step"][-1] == 72
    assert document["restored_step"] in document["curves"]["step"]
    assert document["curves"]["batch_loss"][0] is None
    assert sum(map(sum, document["confusion"])) == 360
    assert sum(document["confusion"][i][i] for i in range(10)) / 360 == pytest.approx(
        document["final"]["test_accuracy"]
    )
    assert document["folder"] == str(tmp_path / "f")
    assert json.loads(fallline(*words).stdout) == document
    assert json.loads(fallline("resume", tmp_path / "f", "--json", "--quiet").stdout) == document
    model = load("digits").make_model({"dropout": 0.2})
    model.load_state_dict(read_checkpoint(tmp_path / "f" / "weights.safetensors"))
    images, labels = load("digits").test
    with torch.no_grad():
        right = (model.eval()(images).argmax(1) == labels).double().mean()
    assert float(right) == pytest.approx(document["final"]["test_accuracy"])


def test_divergence_is_said_and_no_error(tmp_path):
    run = fallline("train", "digits", "-o", "sgd:lr=1e9", *SMALL, "--store", tmp_path / "f", "--quiet")
    assert run.returncode == 0
    assert "diverged at step" in run.stdout
    assert run.stdout.splitlines()[-1].endswith('best.safetensors"))')
    document = json.loads(fallline("resume", tmp_path / "f", "--json").stdout)
    assert document["outcome"] == "diverged"
    assert document["final"]["test_loss"] is document["confusion"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digitz"], "Did you mean 'digits'"),
        (["digits", "-o", "adam:lr=0.1|0.2"], "needs one value of each hyperparameter"),
        (["digits", "--with", "dropout"], "--with must be KEY=VALUE"),
        (["digits", "--with", "dropout=0.1", "--with", "dropout=0.2"], "given twice"),
        (["digits", "--with", "dropout=much"], "must be a number"),
        (["digits", "--patience", "0"], "patience must be a number above 0"),
        (["digits", "--checkpoint-every", "often"], "30s, 5min or 1h"),
        (["digits", "-o", "adam", "-o", "sgd"], "--optimizer is given 2 times"),
        (["digits", "-o", "sgd:lr=0.1,0.2"], "written lr=0.1|0.2"),
        (["digits", "--batch-size", "0"], "--batch-size must be a whole number of at least 1; got 0."),
        (["digits", "--penalise", "all"], "--penalise says what"),
        (["digits", "--with", "label_smoothing=-1"], "a number from 0 to 1"),
    ],
)
def test_mistakes_end_with_two_before_anything_is_made(words, message, tmp_path):
    run = fallline("train", *words, *SMALL, cwd=tmp_path)
    assert run.returncode == 2
    assert message in run.stderr
    assert not list(tmp_path.iterdir())


def test_resume_of_what_is_neither_is_refused(tmp_path):
    run = fallline("resume", tmp_path)
    assert run.returncode == 2
    assert "no study" in run.stderr

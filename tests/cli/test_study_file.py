import json

import pytest

from tests.terminal import fallline

FILES = ("members.csv", "curves.csv", "study.toml")
GOOD = """
problems = ["cubic"]
protocol = "sweep"
epochs = 1
seeds = 1
[[optimizers]]
name = "sgd"
lr = [0.01, 0.1]
"""


def test_a_study_file_is_run_and_stored_as_one_given_in_words(tmp_path):
    (tmp_path / "study.toml").write_text(GOOD)
    words = ["--study", "study.toml", "--store", "s", "--runner", "loop", "--threads", 1, "--quiet", "--json"]
    run = fallline("compare", *words, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert [member["hyperparameters"]["lr"] for member in document["members"]] == [0.01, 0.1]
    assert all(len(member["weights_digest"]) == len(member["order_digest"]) == 32 for member in document["members"])
    again = ["cubic", "-o", "sgd:lr=0.01|0.1", "--epochs", 1, "--seeds", 1, "--store", "s", "--quiet", "--json"]
    again += ["--protocol", "sweep"]
    assert json.loads(fallline("compare", *again, cwd=tmp_path).stdout)["members"] == document["members"]
    explained = fallline("compare", "--study", "study.toml", "--explain", cwd=tmp_path)
    assert explained.stdout.startswith("2 members, 38 steps.")


def test_what_is_wrong_in_a_study_file_exits_with_2(tmp_path):
    (tmp_path / "study.toml").write_text(GOOD.replace("0.01", "-1").replace("seeds = 1", "seeds = 0"))
    run = fallline("compare", "--study", "study.toml", cwd=tmp_path)
    assert run.returncode == 2
    assert "  optimizers.0.lr: sgd: lr must be a finite number" in run.stderr
    assert "  seeds: input should be greater than or equal to 1; got 0" in run.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("beside", [["digits", "--lr", "0.1"], ["--seeds", 3], ["-o", "adam"], ["--device", "cpu"]])
def test_what_a_study_file_says_is_not_given_beside_it(tmp_path, beside):
    (tmp_path / "study.toml").write_text(GOOD)
    run = fallline("compare", "--study", "study.toml", *beside, "--quiet", cwd=tmp_path)
    assert run.returncode == 2
    assert "--study says all that is compared, so " in run.stderr
    assert "PROBLEM" in run.stderr if "digits" in beside else beside[0] in run.stderr or "--optimizer" in run.stderr
    assert "Beside it stand --store, --runner, --threads, --data-dir, --explain, --quiet, --json." in run.stderr


def test_a_study_is_exported_run_again_from_its_file_and_reported_with_another(tmp_path):
    (tmp_path / "study.toml").write_text(GOOD)
    how = ["--runner", "loop", "--threads", 1, "--quiet"]
    assert fallline("compare", "--study", "study.toml", "--store", "a", *how, cwd=tmp_path).returncode == 0
    run = fallline("export", "a", cwd=tmp_path)
    assert run.stdout.splitlines() == [*(f"a/export/{name}" for name in FILES), "2 members."]
    again = fallline("export", "a", cwd=tmp_path)
    assert (again.returncode, "--overwrite" in again.stderr) == (2, True)
    assert fallline("export", "a", "--overwrite", cwd=tmp_path).returncode == 0
    assert fallline("export", "a", "--out", "elsewhere", cwd=tmp_path).returncode == 0
    words = ["compare", "--study", "a/export/study.toml", "--store", "a", *how]
    assert fallline(*words, cwd=tmp_path).returncode == 0
    other = ["compare", "cubic", "-o", "adam:lr=0.01", "--epochs", 1, "--seeds", 1, "--store", "b", *how]
    other += ["--protocol", "sweep"]
    assert fallline(*other, cwd=tmp_path).returncode == 0
    merged = fallline("report", "a", "b", cwd=tmp_path)
    assert merged.returncode == 0, merged.stderr
    assert "runs/cubic-merged-0001/report.html" in merged.stdout
    assert "Unequal trials: 2 for sgd; 1 for adam" in merged.stdout
    assert {p.name for p in (tmp_path / "runs/cubic-merged-0001").iterdir()} == {
        "report.html", "curves.png", "sensitivity.png",
    }  # fmt: skip
    document = json.loads(fallline("report", "a", "b", "--json", cwd=tmp_path).stdout)
    assert len(document["members"]) == 3
    assert fallline("report", "a", "b", "--out", "a", cwd=tmp_path).returncode == 2
    assert "runs/cubic-merged-0002" not in "".join(map(str, (tmp_path / "runs").iterdir()))
    assert fallline("report", "a", "--out", "shown", cwd=tmp_path).returncode == 0
    assert (tmp_path / "shown" / "report.html").is_file()

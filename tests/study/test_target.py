import math

import pytest

from fallline.errors import InputError
from fallline.study.target import Target, refuse_several_baselines, resolved
from tests.study.studies import compare, line


def test_a_target_is_a_number_or_an_optimizer():
    assert Target.parse("test_accuracy >= 0.97") == Target("test_accuracy", True, 0.97)
    assert Target.parse("test_loss<=1e-3") == Target("test_loss", False, 1e-3)
    assert Target.parse("test_loss<=adam:lr=0.1") == Target("test_loss", False, None, "adam:lr=0.1")
    assert str(Target.parse("test_loss<=sgd")) == "test_loss<=sgd"


@pytest.mark.parametrize("text", ["accuracy", "test_loss<=", "test_loss<=inf", "test_loss>=nan", ">=3", 3, None])
def test_what_is_no_target_is_refused(text):
    with pytest.raises(InputError, match="A target is QUANTITY>=VALUE"):
        Target.parse(text)


def test_names_that_nobody_knows_are_refused():
    with pytest.raises(InputError, match="'test_los' is no recorded quantity. Did you mean 'test_loss'"):
        Target.parse("test_los<=1", ["test_loss"])
    with pytest.raises(InputError, match="'adm' is no number and no optimizer. Did you mean 'adam'"):
        Target.parse("test_loss<=adm", ["test_loss"], ["adam", "sgd"])


def test_a_baselines_value_is_the_median_of_its_runs():
    found = resolved(Target.parse("test_loss<=sgd"), [0.25])
    assert found.target.value == 0.25
    assert found.words == "test_loss<=0.25 (the median of sgd's final values)"
    plain = Target.parse("test_loss<=0.5")
    assert resolved(plain, []).target == plain


@pytest.mark.parametrize(
    ("medians", "reason"),
    [([math.inf], "most runs of sgd diverged"), ([], "sgd has not ended yet"), ([0.1, 0.2], "another under each")],
)
def test_a_baseline_without_one_value_sets_no_target(medians, reason):
    found = resolved(Target.parse("test_loss<=sgd"), medians)
    assert found.target is None
    assert reason in found.words


def test_a_baseline_under_several_conditions_is_refused():
    target = Target.parse("test_loss<=sgd")
    with pytest.raises(InputError, match="it is trained with dropout 0.0 and 0.5 and batch size 4 and 8. Give a"):
        refuse_several_baselines(target, {"dropout": (0.0, 0.5), "schedule": ("constant",), "batch size": (4, 8)})
    refuse_several_baselines(target, {"schedule": ("constant",)})
    refuse_several_baselines(Target.parse("test_loss<=1"), {"batch size": (4, 8)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "train_loss<=adm"}, "no number and no optimizer. Did you mean 'adam'"),
        ({"target": "train_loss<=sgd", "batch_sizes": [4, 8]}, "trained with batch size 4 and 8"),
        ({"target": "train_loss<=sgd", "vary": {"l2": [0.0, 0.1]}}, "trained with l2 0.0 and 0.1"),
        ({"target": "train_loss<=sgd", "schedules": ["constant", "cosine"]}, "schedule 'constant' and 'cosine'"),
        ({"problem": line(target="train_loss<=adm")}, "no number and no optimizer"),
    ],
)
def test_a_study_refuses_it_before_training(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        compare(tmp_path, **changes)
    assert not (tmp_path / "s").exists()


def test_the_results_of_a_baseline_set_the_target_of_all(tmp_path):
    results = compare(tmp_path, lrs=[0.05], epochs=4, seeds=3, target="train_loss<=sgd")
    rows = {row.optimizer: row for row in results.ranking}
    finals = sorted(run.final("train_loss") for run in rows["sgd"].winners)
    assert {row.target.target.value for row in rows.values()} == {finals[1]}
    assert rows["sgd"].time_to_target["steps"].hits.count == 2
    told = results.to_json()["ranking"][0]["target"]
    assert (told["value"], told["baseline"], told["quantity"]) == (finals[1], "sgd", "train_loss")
    assert rows["sgd"].steps_to_target.target.endswith("(the median of sgd's final values)")
    assert results.next_command() is None or "--target" not in results.next_command()


def test_a_baseline_that_diverged_leaves_the_rows_without_times(tmp_path):
    row = compare(tmp_path, optimizers=["adam", "sgd:lr=1e6"], target="train_loss<=sgd").ranking[0]
    assert row.time_to_target == {}
    assert row.steps_to_target is None
    assert "most runs of sgd diverged" in row.target.words
    assert row.target.to_json()["value"] is None

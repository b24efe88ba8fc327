import shutil
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import l1_loss, mse_loss

import fallline as fl
from fallline.errors import InputError
from fallline.report.method import method
from fallline.report.page import page_text
from fallline.study import Silent
from fallline.study.merging import merge
from tests.study.studies import X, compare, line


def study(tmp_path, name, optimizers=("sgd",), problem=None, **changes):
    compare(tmp_path, problem, list(optimizers), store=tmp_path / name, **changes)
    return tmp_path / name


def facts(rows):
    return [(row.optimizer, row.hyperparameters, dict(row.factors), row.score, row.trials) for row in rows]


def test_two_studies_are_ranked_as_one_that_has_the_optimizers_of_both(tmp_path):
    one, two = study(tmp_path, "one"), study(tmp_path, "two", ["adam"])
    both = fl.results(study(tmp_path, "both", ["sgd", "adam"]))
    merged = fl.merged([one, two])
    assert facts(merged.ranking) == facts(both.ranking)
    assert merged.specification == both.specification
    assert {record.key for record in merged.records} == {record.key for record in both.records}
    assert merged.plan["members"] == both.plan["members"]
    assert merged.plan["lengths"] == tuple(map(tuple, both.plan["lengths"]))
    assert method(merged) == method(both)
    assert "adam" in page_text(merged)
    assert merged.to_json()["ranking"] == both.to_json()["ranking"]
    assert not (one / "report.html").exists()


def test_values_of_one_hyperparameter_are_put_together(tmp_path):
    one, two = study(tmp_path, "one", lrs=[0.01, 0.1]), study(tmp_path, "two", lrs=[0.1, 0.5])
    merged, whole = fl.merged([one, two]), fl.results(study(tmp_path, "whole", lrs=[0.01, 0.1, 0.5]))
    assert facts(merged.ranking) == facts(whole.ranking)
    assert merged.specification == whole.specification
    assert merged.plan["members"] == len(merged.records) == 6


def test_conditions_that_one_study_has_not_are_off_there(tmp_path):
    plain = study(tmp_path, "plain", lrs=[0.1])
    other = study(tmp_path, "other", lrs=[0.1], vary={"l2": [0.1]}, schedules=["cosine"], batch_sizes=[8])
    merged = fl.merged([plain, other])
    assert {(row.factors["l2"], row.schedule, row.batch_size) for row in merged.ranking} == {
        (0.0, "constant", 32),
        (0.1, "cosine", 8),
    }
    assert merged.specification.factors == {"l2": (0.1, 0.0)}
    wide = line(model=lambda width=1: nn.Sequential(nn.Linear(1, width), nn.Linear(width, 1)), factors={"width": 2})
    two = study(tmp_path, "two", problem=wide, lrs=[0.1])
    three = study(tmp_path, "three", problem=wide, lrs=[0.1], vary={"width": [3]})
    assert {row.factors["width"] for row in fl.merged([two, three]).ranking} == {2, 3}
    assert fl.merged([two, three]).specification.factors == {"width": (3, 2)}


def test_an_unfinished_study_is_merged_as_far_as_it_got(tmp_path):
    class Stops(Silent):
        def end(self, record, steps_left):
            raise KeyboardInterrupt

    one = study(tmp_path, "one")
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path, "two", ["adam"], progress=Stops())
    merged = fl.merged([one, tmp_path / "two"])
    assert (len(merged.records), merged.plan["members"]) == (5, 8)
    assert "Unfinished: 5 of 8 members" in page_text(merged)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 3}, "epochs: 2 there, 3 here"),
        ({"seeds": 3}, "seeds: 2 there, 3 here"),
        ({"seed": 1}, "seed: 0 there, 1 here"),
        ({"order": "fixed"}, "order: reshuffle there, fixed here"),
        ({"validation": 0.5}, "validation: none there, 0.5 here"),
        ({"problem": line(name="other")}, "problem: line there, other here"),
        ({"problem": line(train=(X, 3 * X))}, "train data of line: others"),
        ({"problem": line(metrics={"mae": l1_loss})}, "what is measured on line: .* there, .*_mae"),
        ({"problem": line(model=lambda: nn.Linear(1, 1, bias=False))}, "the model of line: another"),
        ({"problem": line(loss=l1_loss)}, "the loss of line: another"),
        ({"optimizers": ["sgd:lr=0.1,momentum=0.5|0.9"]}, "sgd of .*other is another than that of the studies before"),
        ({"optimizers": [type("sgd", (torch.optim.SGD,), {})]}, "the optimizer sgd: another"),
    ],
)
def test_studies_without_equal_chances_are_not_merged(tmp_path, changes, message):
    one = study(tmp_path, "one")
    given = {"optimizers": ["adam"], "lrs": None if "lr" in str(changes.get("optimizers")) else [0.1], **changes}
    other = study(tmp_path, "other", **given)
    with pytest.raises(InputError, match=message):
        fl.merged([one, other])


def test_studies_that_began_with_other_weights_are_not_merged(tmp_path):
    # What is read from lists is not told of code that changes any.
    bias = [True]
    problem = line(model=lambda: [nn.Linear(1, 1, bias=bias[0])].pop())
    one = study(tmp_path, "one", problem=problem)
    bias[0] = False
    two = study(tmp_path, "two", ["adam"], problem=problem)
    with pytest.raises(InputError, match="Seed 0 on line has other initial weights"):
        fl.merged([one, two])


def test_a_member_whose_curves_differ_is_not_counted_twice(tmp_path):
    scale = [1]
    problem = line(loss=lambda output, target: [scale[0] * mse_loss(output, target)].pop())
    one = study(tmp_path, "one", lrs=[0.1], problem=problem)
    scale[0] = 2
    two = study(tmp_path, "two", lrs=[0.1], problem=problem)
    with pytest.raises(InputError, match=r"sgd with .*, seed 0, on line is in several of .*one, .*two, with other"):
        fl.merged([one, two])
    with pytest.raises(InputError, match="is named twice"):
        fl.merged([one, one])
    shutil.copytree(one, tmp_path / "copy")
    assert len(fl.merged([one, tmp_path / "copy"]).records) == 2


@pytest.mark.parametrize("values", ["lr=0.001", "lr=0.001|0.01|0.1"])
def test_reruns_of_choices_among_other_values_are_no_one_row(tmp_path, values):
    full = {"protocol": "full", "final_seeds": 2, "lrs": None}
    one = study(tmp_path, "one", ["sgd:lr=0.1", "adam:lr=0.1"], **full)
    two = study(tmp_path, "two", ["adam:lr=0.1", f"sgd:{values}"], **full)
    with pytest.raises(InputError, match="sgd of .*two .* had other values to choose from"):
        fl.merged([one, two])
    assert len(fl.merged([one, study(tmp_path, "three", ["momentum:lr=0.1"], **full)]).ranking) == 3


def test_speeds_of_one_machine_stay(tmp_path):
    one, two = study(tmp_path, "one", speed=True), study(tmp_path, "two", ["adam"], speed=True)
    assert [row.speed is None for row in fl.merged([one, two]).ranking] == [False, False]
    first, second = fl.results(one), fl.results(two)
    assert len(merge([first, second], one).speeds) == 2
    slower = replace(second, speeds=tuple(replace(speed, machine="another") for speed in second.speeds))
    assert merge([first, slower], one).speeds == ()

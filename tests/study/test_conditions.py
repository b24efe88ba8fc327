"""Factors, schedules and group rules of a study: what is accepted, what reaches the members, what is refused."""

import json
import sqlite3
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import fallline as fl
from fallline.errors import InputError
from fallline.schedules import Cosine, Schedule
from fallline.study import rebuild
from fallline.study.conditions import GROUP_RULES, checked_factors, group_rule, spelled_rule
from fallline.study.store import MIGRATIONS, Store
from tests.study.studies import X, compare, curves, line, same

LABELS = (X[:, 0] > 0).long()


@dataclass(frozen=True)
class Late(Schedule):
    """Nothing at first."""

    def shape(self, step, total, losses):
        return float(step >= total / 2)


def last_layer(name, parameter, module):
    return name.startswith("1.")


def classes(**changes):
    given = {"model": lambda: nn.Linear(1, 2), "loss": cross_entropy, "train": (X, LABELS), "name": "classes"}
    return fl.Problem(**{**given, **changes})


def test_treatments_are_compared_like_factors_of_the_problem(tmp_path):
    results = compare(tmp_path, optimizers=["sgd"], vary={"l1": ["0", "1e-1"], "patience": ["none", 1]})
    factors = [record["factors"] for record in results.records]
    assert {(f["l1"], f["patience"]) for f in factors} == {(0.0, None), (0.0, 1.0), (0.1, None), (0.1, 1.0)}
    assert len(results.ranking) == 4
    assert len({row.intervals["train_loss"].median for row in results.ranking}) > 1


def test_what_is_off_is_bit_equal_to_what_was_not_asked_for(tmp_path):
    plain = compare(tmp_path / "plain", optimizers=["adam"])
    off = compare(tmp_path / "off", optimizers=["adam"], vary={"l1": [0], "clip_norm": ["none"], "gradient_noise": [0]})
    assert [r.curve.columns for r in plain.records] == [r.curve.columns for r in off.records]


def test_label_smoothing_needs_no_declaration_where_the_loss_takes_it(tmp_path):
    for loss in (cross_entropy, nn.CrossEntropyLoss()):
        results = compare(
            tmp_path / type(loss).__name__,
            classes(loss=loss),
            ["sgd"],
            vary={"label_smoothing": [0.0, 0.3]},
            lrs=[1e-8],
        )
        plain, smoothed = (r.curve for r in results.records if r["seed"] == 0)
        assert plain["validation_loss"] == pytest.approx(smoothed["validation_loss"], rel=1e-5)
        assert plain["batch_loss"][-1] != pytest.approx(smoothed["batch_loss"][-1], rel=1e-3)
    with pytest.raises(
        InputError, match=r"that of line does not take it: .*loss\(output, target, label_smoothing=0.0\)"
    ):
        compare(tmp_path / "none", vary={"label_smoothing": [0.1]})
    with pytest.raises(InputError, match="must be a number from 0 to 1; got 1.5"):
        compare(tmp_path / "much", classes(), vary={"label_smoothing": [1.5]})


def test_a_factor_that_the_loss_takes_goes_there(tmp_path):
    def loss(output, target, power=2.0):
        return ((output - target).abs() ** power).mean()

    results = compare(
        tmp_path, line(loss=loss, factors={"power": 2.0}), ["sgd"], vary={"power": [2.0, 4.0]}, seeds=1, lrs=[1e-8]
    )
    plain, other = (record.curve for record in results.records)
    assert plain["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)
    assert plain["batch_loss"][-1] < 0.9 * other["batch_loss"][-1]


def test_schedules_are_part_of_a_member(tmp_path):
    results = compare(tmp_path, optimizers=["sgd", torch.optim.Adam], schedules=["constant", "cosine:warmup=0.2"])
    assert {record["schedule"] for record in results.records} == {"constant", "cosine:warmup=0.2"}
    assert {row.schedule for row in results.ranking} == {"constant", "cosine:warmup=0.2"}
    ends = [record.final("train_loss") for record in results.records]
    assert len(set(ends)) == len(ends)
    assert fl.results(results.folder).specification.schedules == ("constant", "cosine:warmup=0.2")


def test_ones_own_schedule_and_group_rule_are_found_again(tmp_path):
    given = {"optimizers": ["sgd"], "schedules": [Late()], "penalise": last_layer, "vary": {"l2": [0.1]}}
    problem = {"model": lambda: nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 1))}
    results = compare(tmp_path, line(**problem), **given)
    train = results.records[0].curve["train_loss"]
    steps = results.records[0].curve["step"]
    assert all(loss == train[0] for loss, step in zip(train, steps, strict=True) if step <= steps[-1] / 2)
    assert train[-1] < train[0]
    spec = results.specification
    assert spec.schedules == ("tests.study.test_conditions:Late",)
    assert spec.penalise == "tests.study.test_conditions:last_layer"
    again = compare(tmp_path, line(**problem), **given)
    assert same(curves(results), curves(again))


def test_who_is_penalised(tmp_path):
    ends = {}
    for rule in ("weights", "all"):
        results = compare(tmp_path / rule, optimizers=["sgd"], penalise=rule, vary={"l2": [0.5]}, seeds=1)
        ends[rule] = results.records[0].final("train_loss")
    assert ends["weights"] != ends["all"]
    assert [spelled_rule(rule) for rule in (*GROUP_RULES.values(), "all")] == ["weights", "all", "all"]
    assert group_rule("tests.study.test_conditions:last_layer") is last_layer


def test_the_gap_between_test_and_training_is_reported(tmp_path):
    results = compare(tmp_path, line(test=(X, 2 * X + 1.5)), ["sgd"], vary={"l2": [0.0, 0.1]})
    row = results.ranking[0]
    gaps = [r.final("test_loss") - r.final("train_loss") for r in row.winners]
    assert row.intervals["test_gap"].median == pytest.approx(sum(gaps) / 2)
    assert results.to_json()["ranking"][0]["test_gap"]["median"] == row.intervals["test_gap"].median


def test_final_values_are_those_of_the_restored_weights(tmp_path):
    held_out = (X, 1.9 * X)
    results = compare(
        tmp_path, line(validation=held_out), ["sgd"], vary={"patience": [1]}, epochs=30, lrs=[0.05], evaluate_every=1
    )
    record = results.records[0]
    assert record.to_json()["outcome"] == "stopped"
    assert record.final("validation_loss") == min(record.curve["validation_loss"])
    assert record.outcome.restored == record.to_json()["restored_step"] < record.outcome.step
    stored = fl.results(results.folder).records[0]
    assert stored.outcome == record.outcome


def first_format(folder):
    connection = sqlite3.connect(folder / "study.sqlite")
    connection.executescript(
        "ALTER TABLE member DROP COLUMN restored; ALTER TABLE curve DROP COLUMN place; DROP TABLE losses;"
        "DROP TABLE speed;"
        "ALTER TABLE member DROP COLUMN weights_digest; ALTER TABLE member DROP COLUMN order_digest;"
        "PRAGMA journal_mode = DELETE; PRAGMA user_version = 1;"
    )
    connection.close()


def test_a_store_of_the_first_format_can_be_read_and_is_brought_up_to_date_when_it_is_written_to(tmp_path):
    results = compare(tmp_path, optimizers=["sgd"])
    first_format(results.folder)
    assert [r.outcome.restored for r in fl.results(results.folder).records] == [None] * len(results.records)
    with Store.writer(results.folder) as store:
        assert len(store.records()) == len(results.records)
        store.add(replace(results.records[0], description={"optimizer": "other"}))
        assert len(store.records()) == len(results.records) + 1
    connection = sqlite3.connect(results.folder / "study.sqlite")
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()


def test_an_old_store_that_is_refused_stays_as_it_is(tmp_path):
    folder = compare(tmp_path, optimizers=["sgd"]).folder
    first_format(folder)
    before = (folder / "study.sqlite").read_bytes()
    with pytest.raises(InputError, match="holds another study"):
        compare(tmp_path, optimizers=["adam"])
    assert (folder / "study.sqlite").read_bytes() == before


def test_losses_of_steps_are_stored_printed_and_asked_for_again(tmp_path):
    given = {"problem": "cubic", "optimizers": ["sgd"], "lrs": [0.1], "seeds": 1, "losses_every": 10, "steps": 25}
    results = compare(tmp_path, **given, epochs=None)
    (record,) = fl.results(results.folder).records
    assert list(record.curve.losses) == [10, 20]
    assert record.to_json()["losses"] == {"step": [10, 20], "loss": list(record.curve.losses.values())}
    assert rebuild(results.specification, results.plan, results.environment).budget.losses_every == 10
    with pytest.raises(InputError, match="losses_every"):
        compare(tmp_path, store=tmp_path / "other", losses_every=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vary": {"l1": [-1]}}, "Factor l1 must be a number of at least 0; got -1"),
        ({"vary": {"l3": [1]}}, "'l3' is no factor of the problem"),
        (
            {"vary": {"on": ["yes"]}, "problem": line(model=lambda on: nn.Linear(1, 1), factors={"on": True})},
            "^line: factor on must be true or false; got 'yes'",
        ),
        ({"vary": {"patience": [1]}, "validation": 0}, "patience stops by the validation loss"),
        ({"vary": {"l1": [0.1]}, "optimizers": [torch.optim.SGD]}, "around which l1 cannot be put"),
        ({"schedules": ["cosin"]}, "Did you mean 'cosine'"),
        ({"schedules": []}, "There is no schedule"),
        ({"penalise": "weigths"}, "Did you mean 'weights'"),
        ({"penalise": lambda name, p, module: True}, "penalise must be weights, all, or a function"),
        ({"penalise": "tests.study.test_conditions:LABELS"}, "must be a function of"),
        ({"penalise": line, "vary": {"l1": [0.1]}}, "group rule 'line' must take \\(name, parameter, module\\)"),
        ({"vary": {"l2": [0.1]}, "optimizers": ["adam:weight_decay=0.1"]}, "already has 'l2.weight_decay'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_before_training(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        compare(tmp_path, **changes)
    assert not (tmp_path / "s" / "study.sqlite").exists()


def test_how_to_declare_a_factor_is_said_where_a_model_takes_it():
    own = [line(), line(model=lambda width=3, depth=None, *, bias: nn.Linear(1, 1), name="wide")]
    for name, declared in (("width", "3"), ("depth", "None"), ("bias", "...")):
        with pytest.raises(InputError) as caught:
            checked_factors(own, {name: [5]})
        assert f"The model of wide takes it: declare Problem(..., factors={{'{name}': {declared}}})." in str(
            caught.value
        )
    with pytest.raises(InputError) as caught:
        checked_factors([*own, line(model=nn.Linear(1, 1), name="made")], {"height": [5]})
    assert "declare" not in str(caught.value)


def test_torch_optimizers_take_what_needs_no_wrapper(tmp_path):
    results = compare(
        tmp_path, optimizers=[torch.optim.SGD], vary={"l1": [0], "patience": [1]}, schedules=[Cosine()], seeds=1
    )
    assert len(results.records) == 2


def test_a_factor_that_the_model_takes_and_nobody_declared_is_hinted_at(tmp_path):
    with pytest.raises(InputError, match=r"declare Problem\(..., factors=\{'width': 3\}\)"):
        compare(tmp_path, line(model=lambda width=3: nn.Linear(1, 1)), vary={"width": [1, 2]})


def test_a_problem_may_not_call_its_own_factor_like_a_treatment(tmp_path):
    with pytest.raises(InputError, match="declares a factor 'l2'"):
        compare(tmp_path, line(model=lambda l2=0.5: nn.Linear(1, 1), factors={"l2": 0.5}))


def test_a_schedule_that_cannot_be_found_again_is_refused(tmp_path):
    @dataclass(frozen=True)
    class Local(Schedule):
        """Inside a function."""

    with pytest.raises(InputError, match="must stand at the top of a module"):
        compare(tmp_path, schedules=[Local()])


def test_the_schedule_to_paste_is_as_long_as_the_budget(tmp_path):
    results = compare(
        tmp_path, line(validation=(X, 1.9 * X)), ["sgd"], vary={"patience": [1]}, epochs=30, lrs=[0.05],
        evaluate_every=1, schedules=["cosine"],
    )  # fmt: skip
    assert results.records[0].to_json()["outcome"] == "stopped"
    assert "schedule(step, 30)" in results.best().code


def test_a_loss_of_one_element_may_become_nan(tmp_path):
    def loss(output, target):
        return ((output - target) ** 2).mean().reshape(1)

    results = compare(tmp_path, line(loss=loss), ["sgd"], lrs=[1e30], seeds=1)
    assert results.records[0].diverged


def test_resume_of_a_study_with_a_schedule_of_a_script_says_what_to_do(tmp_path):
    results = compare(tmp_path, "linear", ["sgd"], epochs=1, seeds=1)
    spec = results.specification.model_copy(update={"schedules": ("__main__:Half",)})
    with pytest.raises(InputError, match="Run the script that began this study again"):
        rebuild(spec, results.plan, results.environment)


def test_a_study_is_the_same_though_its_text_was_written_by_an_older_version(tmp_path):
    results = compare(tmp_path, optimizers=["sgd"])
    connection = sqlite3.connect(results.folder / "study.sqlite")
    written = connection.execute("SELECT specification FROM study").fetchone()[0]
    older = {name: value for name, value in json.loads(written).items() if name not in ("diagnostics", "penalise")}
    connection.execute("UPDATE study SET specification = ?", (json.dumps(older),))
    connection.commit()
    connection.close()
    assert same(curves(compare(tmp_path, optimizers=["sgd"])), curves(results))


def test_the_next_command_keeps_the_factors_of_every_problem(tmp_path):
    results = compare(
        tmp_path, ["linear", "cubic"], ["sgd"], vary={"dropout": [0.0, 0.3]}, epochs=1, seeds=1, lrs=[0.1]
    )
    assert "--vary dropout=" in results.next_command()

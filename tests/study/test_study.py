import math
import time
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset

import fallline as fl
from fallline.errors import InputError
from tests.study.studies import X, compare, curves, line, same


def test_members_are_all_combinations(tmp_path):
    results = compare(tmp_path, batch_sizes=[4, 8])
    assert len(results.records) == 2 * 2 * 2 * 2
    assert len(results.ranking) == 4
    assert {record["batch_size"] for record in results.records} == {4, 8}


def test_the_rate_is_chosen_on_validation_data_and_test_is_only_reported(tmp_path):
    misleading = (X, -2 * X - 1)
    results = compare(tmp_path, line(test=misleading), ["sgd"], lrs=[1e-3, 0.3])
    row = results.ranking[0]
    assert row.selected_on == "validation_loss"
    assert row.hyperparameters["lr"] == 0.3
    by_test = min(results.records, key=lambda record: record.final("test_loss"))
    assert by_test["hyperparameters"]["lr"] == 1e-3


def test_without_validation_data_the_training_loss_decides(tmp_path):
    row = compare(tmp_path, validation=0).ranking[0]
    assert row.selected_on == "train_loss"
    assert "validation_loss" not in row.intervals


def test_divergence_is_the_worst_result_and_is_counted(tmp_path):
    results = compare(tmp_path, optimizers=["sgd"], lrs=[0.1, 1e4])
    row = results.ranking[0]
    assert (row.diverged, row.members, row.hyperparameters["lr"]) == (2, 4, 0.1)
    bad = [member for member in results.to_json()["members"] if member["outcome"] == "diverged"]
    assert len(bad) == 2
    assert all(member["final"]["validation_loss"] is None and member["outcome_cause"] for member in bad)


def test_an_optimizer_that_always_diverges_is_ranked_last(tmp_path):
    rows = compare(tmp_path, optimizers=["sgd:lr=1e4|1e5", "adam"]).ranking
    assert [row.optimizer for row in rows] == ["adam", "sgd"]
    assert rows[1].score == math.inf


def test_the_same_study_gives_the_same_bits_and_another_seed_other_curves(tmp_path):
    first = compare(tmp_path, store=tmp_path / "a")
    again = compare(tmp_path, store=tmp_path / "b")
    other = compare(tmp_path, store=tmp_path / "c", seed=1)
    assert same(curves(first), curves(again))
    for key, columns in curves(other).items():
        assert columns["train_loss"] != curves(first)[key]["train_loss"]


def test_steps_to_a_target(tmp_path):
    row = compare(tmp_path, optimizers=["sgd"], lrs=[0.3], target="train_loss<=0.5", epochs=5).ranking[0]
    for record in row.winners:
        losses = record.curve["train_loss"]
        assert losses[0] > 0.5 > losses[-1]
    assert row.steps_to_target.reached == 2
    assert 0 < row.steps_to_target.median <= 5
    unrecorded = compare(tmp_path, line(target="validation_loss<=1"), store=tmp_path / "u", validation=0)
    assert unrecorded.ranking[0].steps_to_target is None
    never = compare(tmp_path, store=tmp_path / "n", target="validation_loss<=-1").ranking[0].steps_to_target
    assert (never.reached, never.median) == (0, math.inf)


def test_values_at_the_edge_are_said(tmp_path):
    row = compare(tmp_path, optimizers=["sgd"], lrs=[1e-3, 1e-2, 1e-1]).ranking[0]
    assert row.edges == ("lr=0.1 is the largest value tried",)


def test_hyperparameters_and_factors_can_be_varied(tmp_path):
    wide = line(model=lambda width=2: nn.Sequential(nn.Linear(1, width), nn.Linear(width, 1)), factors={"width": 2})
    results = compare(tmp_path, wide, ["momentum", "sgd"], vary={"width": [2, 3], "momentum": [0.5, 0.9]}, lrs=[0.1])
    assert {record["factors"]["width"] for record in results.records} == {2, 3}
    assert {(r.optimizer, r.factors["width"]) for r in results.ranking} == {
        (name, width) for name in ("momentum", "sgd") for width in (2, 3)
    }
    with pytest.raises(InputError, match="Did you mean 'width'"):
        compare(tmp_path, wide, vary={"widht": [1]})


def test_best_gives_the_trained_model_and_a_line_to_paste(tmp_path):
    results = compare(tmp_path, optimizers=["sgd", "momentum"], epochs=20, lrs=[0.05, 0.1])
    best = results.best()
    model = best.model()
    with torch.no_grad():
        loss = float(mse_loss(model(X), 2 * X + 1))
    assert loss < 0.05
    assert best.code.startswith("torch.optim.SGD(model.parameters(), lr=")
    kept = {path.stem for path in (results.folder / "weights").iterdir()}
    assert kept == {record.key for row in results.ranking for record in row.winners}


def test_the_model_handed_out_is_that_of_the_best_seed(tmp_path):
    results = compare(tmp_path, optimizers=["sgd"], lrs=[0.1], seeds=4)
    row = results.ranking[0]
    best = min(row.winners, key=lambda record: record.curve["validation_loss"][-1])
    x, y = (torch.cat(parts) for parts in zip(*results.study.problems["line"].validation.in_order(), strict=True))
    with torch.no_grad():
        assert float(mse_loss(results.best().model()(x), y)) == pytest.approx(best.curve["validation_loss"][-1])


def test_an_instance_is_neither_trained_nor_handed_out(tmp_path):
    model = nn.Linear(1, 1)
    before = model.weight.clone()
    found = compare(tmp_path, line(model=model), ["sgd"], lrs=[0.1]).best().model()
    assert found is not model
    assert torch.equal(model.weight, before)


def test_a_run_that_ends_in_nan_is_no_winner(tmp_path):
    def odd(output, target):
        value = mse_loss(output, target)
        return value if torch.is_grad_enabled() or len(target) != 8 or value > 0.2 else value * math.nan

    row = compare(tmp_path, line(loss=odd), ["sgd"], lrs=[0.3], epochs=20).ranking[0]
    assert all(record.final("validation_loss") == math.inf for record in row.winners)


def test_changed_settings_of_a_model_are_noticed(tmp_path):
    def wide(width):
        return line(model=lambda: nn.Sequential(nn.Linear(1, width), nn.Linear(width, 1)))

    compare(tmp_path, wide(4))
    with pytest.raises(InputError, match="the initial model of line changed"):
        compare(tmp_path, wide(8))


def test_an_instance_of_a_model_means_these_weights_for_every_seed(tmp_path):
    results = compare(tmp_path, line(model=nn.Linear(1, 1)), ["sgd"], lrs=[0.1], validation=0)
    starts = {record.curve["train_loss"][0] for record in results.records}
    assert len(starts) == 1


def test_a_loader_trains_with_its_own_batch_size(tmp_path):
    loader = DataLoader(TensorDataset(X, 2 * X), batch_size=10, shuffle=True)
    results = compare(tmp_path, line(train=loader, validation=(X, 2 * X)))
    assert results.records[0]["batch_size"] is None
    assert results.records[0].curve["step"][-1] == 8
    again = compare(tmp_path, line(train=loader, validation=(X, 2 * X)), store=tmp_path / "again")
    assert same(curves(results), curves(again))
    with pytest.raises(InputError, match="own batch size stands"):
        compare(tmp_path, line(train=loader), batch_sizes=[4], store=tmp_path / "other")


def test_a_finished_study_is_not_trained_again_and_another_is_refused(tmp_path):
    first = compare(tmp_path)
    began = time.perf_counter()
    again = compare(tmp_path)
    assert time.perf_counter() - began < 1
    assert same(curves(first), curves(again))
    with pytest.raises(InputError, match=r"holds another study \(epochs: 2 there, 3 here\)"):
        compare(tmp_path, epochs=3)
    with pytest.raises(InputError, match=r"\(lr of sgd: 0.01 and 0.1 there, 0.5 here; lr of adam: 0.01 and 0.1 th"):
        compare(tmp_path, lrs=[0.5])
    with pytest.raises(
        InputError, match=r"\(optimizer: sgd and adam there, sgd here; factor l1: nothing there, 0.1 here"
    ):
        compare(tmp_path, optimizers=["sgd"], vary={"l1": [0.1]})
    with pytest.raises(InputError, match="training data of line|the train data of line"):
        compare(tmp_path, line(train=(X, 3 * X)))


def test_everything_is_tried_before_anything_is_trained(tmp_path):
    def model(width=2):
        return nn.Linear(1, 1) if width == 2 else nn.Linear(1, width)

    with pytest.raises(InputError, match="with width=3: .*does not fit the loss"):
        compare(tmp_path, line(model=model, factors={"width": 2}), vary={"width": [2, 3]})
    with pytest.raises(InputError, match="torch.optim.Muon.* could not be made"):
        compare(tmp_path, optimizers=["sgd", "torch.optim.Muon"])
    with pytest.raises(InputError, match="torch.optim.SparseAdam failed at its first step"):
        compare(tmp_path, optimizers=["sgd", "torch.optim.SparseAdam"])
    assert not (tmp_path / "s").exists()


def test_one_thing_serves_where_several_may_be_given(tmp_path):
    results = fl.compare(
        line(),
        fl.rules.Adam,
        protocol="sweep",
        lrs=0.1,
        batch_sizes=8,
        epochs=1,
        seeds=1,
        progress=False,
        store=str(tmp_path / "s"),
    )
    assert len(results.records) == 1


def test_json_has_the_fixed_part_and_only_finite_numbers(tmp_path):
    import json

    document = json.loads(json.dumps(compare(tmp_path, lrs=[0.1, 1e4]).to_json(), allow_nan=False))
    keys = "specification environment plan ranking members search_digest verdicts across_problems"
    assert set(keys.split()) == set(document)
    row, member = document["ranking"][0], document["members"][0]
    assert {
        "problem",
        "optimizer",
        "hyperparameters",
        "factors",
        "schedule",
        "batch_size",
        "members",
        "diverged",
    } <= set(row)
    assert {"median", "low", "high"} <= set(row["validation_loss"])
    assert {"seed", "phase", "outcome", "final", "curves"} <= set(member)
    assert {"step", "train_loss", "validation_loss"} <= set(member["curves"])


def test_the_next_command_keeps_all_that_was_asked(tmp_path):
    results = fl.compare(
        "cubic", ["momentum:nesterov=true,lr=0.1", "adam:weight_decay=0.01,lr=0.1"], vary={"hidden": ["4", "8"]},
        protocol="sweep", batch_sizes=[32], steps=5, seeds=1, seed=7, validation=0.3, order="fixed", threads=1,
        progress=False, target="train_loss<=0.1", evaluate_every=2, store=tmp_path / "c",
    )  # fmt: skip
    command = results.next_command()
    for words in ("momentum:lr=0.0333..0.3,nesterov=true", "adam:lr=0.0333..0.3,weight_decay=0.01", "--vary hidden=",
                  "--batch-size 32", "--steps 5", "--seed 7", "--validation 0.3", "--order fixed",
                  "--target 'train_loss<=0.1'", "--evaluate-every 2"):  # fmt: skip
        assert words in command
    whole = fl.compare(
        "digits",
        ["sgd:lr=0.1"],
        protocol="sweep",
        vary={"batch_norm": [True], "dropout": [0.0]},
        steps=1,
        seeds=1,
        validation=0,
        threads=1,
        progress=False,
        store=tmp_path / "d",
    )
    assert "--target" not in whole.next_command()
    assert "--validation" not in whole.next_command()
    assert "--vary batch_norm=true --vary dropout=0 " in whole.next_command()
    lost = compare(tmp_path, optimizers=["sgd:lr=1e20"], lrs=None, store=tmp_path / "lost")
    assert lost.next_command() is None


@dataclass(frozen=True)
class Impure(fl.Rule):
    lr: float = 0.1

    def init(self, p):
        return {"sum": torch.zeros_like(p)}

    def step(self, p, g, state, now):
        state["sum"] += g * g
        return self.lr * g, state


def test_a_rule_that_breaks_the_first_laws_is_not_compared(tmp_path):
    with pytest.raises(InputError, match="Impure cannot be compared.*law 1.*in place"):
        compare(tmp_path, optimizers=["sgd", Impure])


def test_a_folder_with_other_files_is_no_store(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"holds other files \(thesis.tex\)"):
        compare(tmp_path)


def test_a_failure_while_training_names_the_member(tmp_path):
    calls = []

    def loss(output, target):
        calls.append(1)
        if len(calls) > 60:
            raise RuntimeError("mine")
        return mse_loss(output, target)

    with pytest.raises(RuntimeError, match="mine") as caught:
        compare(tmp_path, line(loss=loss), epochs=20)
    assert "training sgd (lr=0.01" in caught.value.__notes__[0]
    assert "To go on, code and data unchanged" in caught.value.__notes__[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs: .*greater than or equal to 1"),
        ({"epochs": 2, "steps": 3}, "either epochs or steps"),
        ({"seeds": 0}, "seeds"),
        ({"batch_sizes": [0]}, "batch_sizes"),
        ({"batch_sizes": []}, "batch_sizes"),
        ({"batch_sizes": [None]}, "batch_sizes must be a whole number"),
        ({"batch_sizes": [33]}, "batch size 33 is larger than the 32 training rows"),
        ({"validation": 2.0}, "validation"),
        ({"order": "random"}, "order"),
        ({"runner": "lop"}, "Did you mean 'loop'"),
        ({"device": "gpu"}, "Device 'gpu'"),
        ({"threads": 0}, "threads must be a whole number of at least 1"),
        ({"target": "accuracy"}, "A target is QUANTITY>=VALUE"),
        ({"target": "test_accuracy>=0.9"}, "is no recorded quantity"),
        ({"target": "train_loss>=0.9"}, "Of train_loss less is better, so a target is train_loss<=0.9; got"),
        ({"protocol": "full", "tuning_repeats": 6, "lrs": [0.1]}, r"tuning_repeats asks .* has one setting\.$"),
        ({"protocol": "full", "extra_trials": 2, "lrs": [0.1]}, r"extra_trials asks .* has one setting\.$"),
        ({"protocol": "full", "search": "random", "lrs": [0.1, 1.0]}, "draws values from ranges, and no optimizer"),
        ({"lrs": []}, "lr has no values"),
        ({"optimizers": []}, "at least one optimizer"),
        ({"optimizers": ["adam", "adam"]}, "named twice"),
        ({"problem": 3}, "must be a fallline.Problem or a name"),
        ({"store": "/proc/no/store"}, "cannot be written"),
    ],
)
def test_bad_input_is_refused_before_training(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        compare(tmp_path, **changes)
    assert not (tmp_path / "s" / "weights").exists()


def test_all_mistakes_of_a_specification_are_said_at_once(tmp_path):
    with pytest.raises(InputError, match=r"epochs.*seeds.*"):
        compare(tmp_path, epochs=-1, seeds=-1)

"""The full protocol in a study: who is trained when, on which seeds, and what is reported of it."""

import pytest
import torch
from torch import nn

import fallline as fl
from fallline.errors import InputError
from fallline.protocol import Seeds
from fallline.report.notes import ranking_notes
from fallline.report.verdicts import verdict_notes
from fallline.statistics import Terms, verdict
from fallline.study import Silent, read_results, together
from fallline.study.judging import SWEEP
from fallline.study.ranking import rank
from fallline.study.specification import Specification
from tests.study.by_hand import record
from tests.study.studies import compare, curves, full, line, same

pytestmark = pytest.mark.usefixtures("own_cache")


def facts(records):
    return {(r["optimizer"], r["hyperparameters"]["lr"], r["seed"], r["phase"]) for r in records}


def test_what_the_search_chose_is_trained_again_and_reported(tmp_path):
    results = full(tmp_path)
    assert facts(results.searched) == {
        (o, lr, seed, "search") for o in ("sgd", "adam") for lr in (0.01, 0.1) for seed in (0, 1)
    }
    assert facts(results.reruns) == {(o, 0.1, seed, "final") for o in ("sgd", "adam") for seed in (2, 3, 4)}
    assert results.planned == len(results.records) == 14
    for row in results.ranking:
        assert row.rerun
        assert facts(row.selection) == {(row.optimizer, 0.1, seed, "search") for seed in (0, 1)}
        assert facts(row.winners) == {(row.optimizer, 0.1, seed, "final") for seed in (2, 3, 4)}
        finals = sorted(run.final("validation_loss") for run in row.winners)
        assert (row.score, row.trials, row.members) == (finals[1], 2, 7)
    assert [row.score for row in results.ranking] == sorted(row.score for row in results.ranking)
    kept = {path.stem for path in (tmp_path / "s" / "weights").iterdir()}
    assert kept == {record.key for record in results.reruns}
    assert results.best().model()(torch.ones(1, 1)).shape == (1, 1)


def test_the_search_is_that_of_a_sweep_to_the_bit(tmp_path):
    sweep = compare(tmp_path, store=tmp_path / "sweep")
    results = full(tmp_path)
    assert {r.key for r in sweep.records} == {r.key for r in results.searched}
    assert same(curves(sweep), {r.key: r.curve.columns for r in results.searched})


def test_what_is_given_is_not_searched(tmp_path):
    results = full(tmp_path, [fl.rules.SGD(lr=0.1), "adam:lr=0.01"], lrs=None)
    assert results.searched == ()
    assert {r["seed"] for r in results.reruns} == {2, 3, 4}
    assert all(row.selection == row.winners and row.trials == 1 for row in results.ranking)
    (judged,) = results.verdicts
    assert judged.verdict.terms.tuning == "at the values given"


def test_the_verdict_is_that_of_the_statistics_on_the_reruns(tmp_path):
    results = full(tmp_path, final_seeds=6)
    (judged,) = results.verdicts
    losses = {
        row.optimizer: [run.final("validation_loss") for run in sorted(row.winners, key=lambda r: r["seed"])]
        for row in results.ranking
    }
    assert judged.verdict == verdict(losses, Terms("validation loss", trials=2))
    assert (judged.problem, judged.condition, judged.compared, judged.metric) == (
        "line", {}, "optimizers", "validation_loss",
    )  # fmt: skip
    assert results.verdict(metric="train_loss").terms.metric == "train loss"
    assert results.to_json()["verdicts"] == [judged.to_json()]
    assert read_results(tmp_path / "s").verdicts == results.verdicts
    for given, said in (({"metric": "loss"}, "Did you mean"), ({"problem": "lime"}, "Did you mean 'line'")):
        with pytest.raises(InputError, match=said):
            results.verdict(**given)


def test_several_verdicts_say_that_each_has_its_own_error_rate(tmp_path):
    results = full(tmp_path, lrs=[0.1], batch_sizes=[4, 8], final_seeds=6)
    assert verdict_notes(results, "line")[-1] == (
        "Each of the 2 verdicts of this study has an error rate of 5 % of its own."
    )


def test_conditions_that_are_typed_alike_are_all_judged(tmp_path):
    class Model(nn.Linear):
        def __init__(self, mode):
            super().__init__(1, 1)

    problem = line(model=Model, factors={"mode": "x"})
    results = full(tmp_path, ["sgd"], problem, lrs=[0.1], vary={"mode": [None, "none", "x"]}, final_seeds=6)
    assert results.verdicts[0].verdict.optimizers == ("mode=None", "mode='none'", "mode='x'")


def test_a_metric_whose_direction_no_name_says_has_no_verdict(tmp_path):
    metrics = {"pressure": lambda output, target: output.mean(), "MAE": nn.functional.l1_loss}
    results = full(tmp_path, problem=line(metrics=metrics), lrs=[0.01], final_seeds=6)
    with pytest.raises(InputError, match="Whether less or more of validation_pressure is better"):
        results.verdict("validation_pressure")
    assert results.verdict("validation_MAE").terms.better == "lower validation MAE"


def test_a_sweep_has_no_verdict_and_says_why(tmp_path, capsys):
    results = compare(tmp_path)
    assert results.verdicts == ()
    with pytest.raises(InputError, match="chooses and reports on the same runs"):
        results.verdict()
    results.table()
    assert SWEEP in capsys.readouterr().out.replace("\n", " ")


def test_too_few_reruns_are_said_with_how_many_are_needed(tmp_path, capsys):
    full(tmp_path).table()
    out = " ".join(capsys.readouterr().out.split())
    assert "3 seeds are too few for a verdict on a pair: 6 are needed." in out
    assert "--final-seeds 6." in out


def test_unequal_trials_are_told_in_the_verdict(tmp_path):
    results = full(tmp_path, ["sgd:lr=0.1", "adam"])
    (judged,) = results.verdicts
    assert judged.verdict.terms.tuning == "as tuned here with 2 trials of adam and 1 of sgd"


def test_one_optimizer_is_judged_over_its_conditions(tmp_path):
    results = full(tmp_path, ["sgd"], vary={"l2": [0.0, 0.5]}, final_seeds=6)
    (judged,) = results.verdicts
    assert judged.compared == "conditions"
    assert set(judged.verdict.optimizers) == {"l2=0", "l2=0.5"}
    two = full(tmp_path, vary={"l2": [0.0, 0.5]}, store=tmp_path / "two")
    assert {j.compared for j in two.verdicts} == {"optimizers"}
    assert sorted(j.condition["l2"] for j in two.verdicts) == [0.0, 0.5]


def test_a_problem_without_anything_held_out_chooses_by_the_training_loss(tmp_path):
    results = full(tmp_path, validation=0)
    assert {row.selected_on for row in results.ranking} == {"train_loss"}
    assert results.verdicts[0].metric == "train_loss"


@pytest.mark.parametrize("search", ["random", "sobol", "halton"])
def test_a_drawn_search_tries_other_values_of_each_optimizer(tmp_path, search):
    results = full(tmp_path, ["sgd", "adam"], lrs=None, search=search, trials=3)
    tried = {(r["optimizer"], r["hyperparameters"]["lr"]) for r in results.searched}
    assert len(tried) == 6
    spec = results.specification
    assert [dict(o.ranges) for o in spec.optimizers] == [{"lr": (1e-3, 10.0)}, {"lr": (1e-5, 0.1)}]
    assert all(o.hyperparameters == {"lr": ()} for o in spec.optimizers)


def test_more_trials_where_a_best_value_is_at_an_edge(tmp_path):
    class Said(Silent):
        members = ()
        said = ()

        def begin(self, members, ended, steps):
            self.members = (*self.members, members)

        def say(self, message):
            self.said = (*self.said, message)

    watcher = Said()
    given = {"lrs": [0.001, 0.01, 0.1], "progress": watcher}
    plain = full(tmp_path, store=tmp_path / "plain", **given)
    assert any("largest value tried" in edge for row in plain.ranking for edge in row.edges)
    watcher = Said()
    results = full(tmp_path, extra_trials=2, **{**given, "progress": watcher})
    assert watcher.members == (18, 26)
    assert "every optimizer gets more trials" in watcher.said[0]
    assert results.planned == len(results.records) == 26
    assert {row.trials for row in results.ranking} == {5}
    assert {r["seed"] for r in results.searched} == {0, 1}
    assert {r["hyperparameters"]["lr"] for r in results.searched if r["optimizer"] == "sgd"} == {
        0.001, 0.01, 0.1, 1.0, 10.0,
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [{"tuning_repeats": 2}, {"extra_trials": 1}, {"final_seeds": 3}])
def test_a_sweep_takes_nothing_of_the_full_protocol(tmp_path, wrong):
    with pytest.raises(InputError, match="goes with the full protocol"):
        compare(tmp_path, **wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"protocol": "half"}, "^protocol: input should be 'full' or 'sweep'; got 'half'"),
        ({"search": "bayes"}, "^search: input should be 'grid', 'random', 'sobol' or 'halton'; got 'bayes'"),
        ({"final_seeds": 0}, "^final_seeds: input should be greater than or equal to 1; got 0"),
        ({"trials": 1}, "^trials must be a whole number of at least 2; got 1"),
        ({"tuning_repeats": 0}, "^tuning_repeats: input should be greater than or equal to 1"),
        ({"extra_trials": -1}, "^extra_trials: input should be greater than or equal to 0"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, wrong, said):
    with pytest.raises(InputError, match=said):
        full(tmp_path, **wrong)
    assert not (tmp_path / "s").exists()


def test_a_specification_of_before_there_were_protocols_is_a_sweep():
    adam = {"label": "adam", "source": "adam", "kind": "Adam", "hyperparameters": {"lr": [0.1]}}
    old = Specification(problems=[{"name": "cubic", "source": "cubic"}], optimizers=[adam], epochs=2, seeds=4)
    assert (old.protocol, old.search, old.runs.final, old.runs.of_search(0)) == ("sweep", "grid", 0, range(4))


def test_the_search_digest_is_that_of_the_spaces(tmp_path):
    first = fl.plan("cubic", ["adam"], epochs=1)
    assert first.all_members == 7 * 3 + 10

    def digest(name, *optimizers, **changes):
        given = {"protocol": "sweep", "epochs": 1, "seeds": 1, "threads": 1, "progress": False, "trials": 2}
        return fl.compare(
            "cubic", optimizers, store=tmp_path / name, **{**given, **changes}
        ).specification.search_digest

    same_space = [digest("a", "adam"), digest("b", "adam", epochs=2), digest("c", "adam:lr=1e-5..0.1")]
    assert len(set(same_space)) == 1
    others = [digest("d", "adam:lr=1e-5..0.2"), digest("e", "adam", trials=3), digest("f", "adam", search="random")]
    assert len({*same_space, *others}) == 4


def test_reruns_of_six_optimizers_are_one_population(tmp_path):
    problem = line(model=lambda: nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)))
    optimizers = ["sgd", "momentum", "adagrad", "rmsprop", "adadelta", "adam"]
    results = full(tmp_path, optimizers, problem, runner="population", final_seeds=10)
    (later,) = results.plan["later"]
    assert [len(own["members"]) for own in later["populations"]] == [60]
    assert len(results.reruns) == 60


def test_a_repeated_search_counts_in_repeats(tmp_path):
    results = full(tmp_path, lrs=None, search="random", trials=3, seeds=1, tuning_repeats=6, final_seeds=3)
    assert results.planned == len(results.records) == 2 * 6 * (3 + 3)
    (judged,) = results.verdicts
    assert judged.verdict.seeds == 6
    assert judged.verdict.terms == Terms("validation loss", trials=3, search_repeated=True)
    for row in results.ranking:
        assert [sorted(run["seed"] for run in runs) for runs in row.repeats] == [
            [4 * repeat + 1 + i for i in range(3)] for repeat in range(6)
        ]
        finals = [sorted(run.final("validation_loss") for run in runs)[1] for runs in row.repeats]
        assert row.results("validation_loss") == finals
        assert row.score == (sorted(finals)[2] + sorted(finals)[3]) / 2
        best = min(results.searched, key=lambda r: (r["optimizer"] != row.optimizer, r.final("validation_loss")))
        assert row.hyperparameters == best["hyperparameters"]
        rates = [runs[0]["hyperparameters"]["lr"] for runs in row.repeats]
        assert row.told == {"lr": f"{min(rates):.3g} to {max(rates):.3g}"}
    searched = {r["seed"]: [] for r in results.searched}
    for trained in results.searched:
        searched[trained["seed"]].append(trained["hyperparameters"]["lr"])
    assert len({tuple(values) for values in searched.values()}) == 6
    (drawn,) = [note for note in ranking_notes(results, results.ranking) if note.startswith("Searched")]
    assert drawn.startswith("Searched, 3 trials each, drawn log-uniformly: ")


def test_a_repeated_grid_trains_as_populations_in_several_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(together, "_free", lambda device: 3000.0)
    monkeypatch.setattr(together, "WORTH_MEASURING", 0.0)
    given = {"lrs": [0.01, 0.02, 0.05, 0.1, 0.2], "seeds": 2, "tuning_repeats": 2, "final_seeds": 2}
    results = full(tmp_path, **given, runner="population")
    assert len(results.plan["populations"]) > 1
    loop = full(tmp_path, **given, store=tmp_path / "loop", runner="loop")
    for one, other in zip(loop.records, results.records, strict=True):
        assert one.description == other.description
        assert other.curve["train_loss"] == pytest.approx(one.curve["train_loss"], rel=1e-4)


def test_the_next_command_asks_seeds_that_chose_nothing(tmp_path):
    given = {"lrs": [0.01, 0.1], "final_seeds": 2, "seeds": 2, "steps": 4, "extra_trials": 1, "progress": False}
    results = fl.compare("cubic", ["sgd", "adam"], **given, seed=4, store=tmp_path / "s")
    assert "--final-seeds 4 --seeds 2 --extra-trials 1 --seed 5" in results.next_command()


def test_the_edge_of_every_repeats_choice_is_said():
    losses = ((0.01, 0, 3.0), (0.1, 0, 1.0), (1.0, 0, 2.0), (0.01, 2, 3.0), (0.1, 2, 2.5), (1.0, 2, 1.5))
    records = [record(lr=lr, seed=seed, loss=loss) for lr, seed, loss in losses]
    (row,) = rank(records, {"sgd": {"lr": (0.01, 0.1, 1.0)}}, Seeds(1, 1, 2))
    assert row.hyperparameters == {"lr": 0.1}
    assert row.edges == ("lr=1 is the largest value tried",)


def test_a_special_case_that_beats_the_general_one_says_that_it_is_under_tuned(tmp_path, capsys):
    results = full(tmp_path, ["sgd:lr=0.3", "momentum:lr=1e-4|2e-4", "adam:lr=0.1"], lrs=None, final_seeds=8)
    (judged,) = results.verdicts
    assert judged.under_tuned == (("sgd", "momentum"),)
    assert judged.to_json()["under_tuned"] == [{"special_case": "sgd", "general": "momentum"}]
    results.table()
    out = " ".join(capsys.readouterr().out.split())
    assert "momentum becomes sgd at some of its values, and sgd did better: momentum is under-tuned here." in out


def test_merged_studies_are_judged_as_one(tmp_path):
    both = full(tmp_path, final_seeds=6)
    for name in ("sgd", "adam"):
        full(tmp_path, [name], final_seeds=6, store=tmp_path / name)
    merged = fl.merged([tmp_path / "sgd", tmp_path / "adam"])
    assert merged.planned == both.planned == len(merged.records)
    assert {row.optimizer: row.results("validation_loss") for row in merged.ranking} == {
        row.optimizer: row.results("validation_loss") for row in both.ranking
    }
    assert [judged.verdict for judged in merged.verdicts] == [judged.verdict for judged in both.verdicts]

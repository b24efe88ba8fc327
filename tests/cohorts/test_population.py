from itertools import islice

import pytest
import torch

from fallline import wrappers
from fallline.cohorts import train_population
from fallline.cohorts.denormals import flushed
from fallline.cohorts.population import Population
from fallline.cohorts.resumption import go_on, snapshot
from fallline.cohorts.streams import batches_of_seeds
from fallline.rules import SGD, SOAP, Adam, AdamW, Lion, Momentum, Muon, Prodigy, RMSprop, ScheduleFreeAdamW
from fallline.schedules import Cosine, Plateau
from fallline.training import Budget, Member, train_cohort
from fallline.training.cohort_checkpoint import CohortCheckpoint
from tests.cohorts.networks import NETWORKS, classes, regression
from tests.double import double_precision as double_precision

pytestmark = pytest.mark.usefixtures("double_precision")
RULES = [SGD(lr=0.1), SGD(lr=0.02), Adam(lr=0.01), Adam(lr=0.03, beta1=0.8)]


def members(rules, seeds=(0, 1), **changes):
    given = {"problem": "net", "batch_size": 5}
    return [
        Member(
            optimizer=repr(rule),
            algorithm=rule,
            hyperparameters=rule.hyperparameters(),
            seed=seed,
            **{**given, **changes},
        )
        for rule in rules
        for seed in seeds
    ]


def hold_to_loop(cohort, problem, budget, tolerance=1e-9, **options):
    together = train_population(cohort, problem, budget, seed=3, **options)
    for trained, member in zip(together, cohort, strict=True):
        alone = train_cohort([member], problem, budget, seed=3)[0]
        assert trained.member is member
        assert trained.outcome == alone.outcome
        assert trained.origin == alone.origin
        assert trained.weights.keys() == alone.weights.keys()
        for name, x in alone.weights.items():
            torch.testing.assert_close(
                trained.weights[name], x, rtol=tolerance, atol=tolerance, msg=f"{member}: {name}"
            )
        assert list(trained.curve.columns) == list(alone.curve.columns)
        for name, column in alone.curve.columns.items():
            assert trained.curve[name] == pytest.approx(column, rel=tolerance, abs=tolerance, nan_ok=True), name
        assert trained.curve.losses == pytest.approx(alone.curve.losses, rel=tolerance)
    return together


@pytest.mark.parametrize("network", [*NETWORKS, "attention"])
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_every_network_trains_as_in_the_loop(network, seeds):
    hold_to_loop(members(RULES, seeds), classes(network), Budget(epochs=3, losses_every=2))


SAM = wrappers.SAM(Momentum(lr=0.05))
ONE_PROGRAM_EACH = [
    Momentum(lr=0.05),
    RMSprop(lr=0.01),
    AdamW(lr=0.01),
    Lion(lr=0.003),
    Muon(lr=0.01),
    SOAP(lr=0.01),
    Prodigy(),
    ScheduleFreeAdamW(lr=0.01),
    wrappers.Lookahead(Adam(lr=0.01), k=3),
    SAM,
    wrappers.Route(Muon(lr=0.01, bfloat16=False), AdamW(lr=0.01)),
    wrappers.Clip(SGD(lr=0.1), global_norm=0.5),
    wrappers.Accumulate(SGD(lr=0.1), k=2),
    wrappers.Centralise(SGD(lr=0.1)),
]


def test_every_kind_of_rule_trains_beside_the_others_as_in_the_loop():
    matrices_alone = (Muon, SOAP)
    rules = [rule for rule in ONE_PROGRAM_EACH if not isinstance(rule, matrices_alone)]
    hold_to_loop(members(rules), classes("perceptron"), Budget(epochs=3), tolerance=1e-7)


@pytest.mark.parametrize(
    "factors",
    [
        {"l1": 1e-3, "l2": 1e-2},
        {"decoupled_decay": 0.1, "clip_norm": 0.3},
        {"gradient_noise": 0.1, "clip_value": 0.01},
        {"average": 0.8, "clip_global_norm": 0.5},
        {"patience": 1.0},
        {"label_smoothing": 0.2},
    ],
    ids=str,
)
def test_treatments_act_as_in_the_loop(factors):
    hold_to_loop(members([*RULES, Momentum(lr=0.5)], factors=factors), classes("perceptron"), Budget(epochs=8))


@pytest.mark.parametrize("schedule", [Cosine(warmup=2), Plateau(patience=2)])
def test_schedules_move_the_rates_as_in_the_loop(schedule):
    hold_to_loop(members([*RULES, SAM, SGD(lr=4.0)], schedule=schedule), classes("perceptron"), Budget(epochs=6))


def test_members_that_diverge_touch_no_other():
    rules = [SGD(lr=0.01), SGD(lr=1e200), SGD(lr=30.0), SGD(lr=0.05)]
    together = hold_to_loop(members(rules), regression(), Budget(epochs=4))
    alone = train_population(
        members([SGD(lr=0.01), SGD(lr=1e-3), SGD(lr=2e-3), SGD(lr=0.05)]), regression(), Budget(epochs=4), 3
    )
    endings = [trained.outcome.diverged for trained in together]
    assert endings == [False, False, True, True, True, True, False, False]
    for with_others, without in zip(together, alone, strict=True):
        if not with_others.outcome.diverged:
            assert repr(with_others.curve.columns) == repr(without.curve.columns)
            assert all(torch.equal(x, without.weights[name]) for name, x in with_others.weights.items())


class Interrupted(Exception):
    pass


class Checkpoint(CohortCheckpoint):
    """Writes behind every step; the process is killed behind some step."""

    def __init__(self, path, kill_at):
        super().__init__(path, {})
        self.left = kill_at

    def due(self):
        return True

    def save(self, tree):
        super().save(tree)
        self.left -= 1
        if self.left == 0:
            raise Interrupted


@pytest.mark.parametrize("kill_at", [1, 7, 10])
@pytest.mark.parametrize(("network", "order"), [("dropout", "fixed"), ("batch norm", "reshuffle")])
def test_a_population_that_was_killed_goes_on_with_the_same_bits(tmp_path, kill_at, network, order):
    factors = {"gradient_noise": 0.1, "patience": 2.0}
    cohort = members(
        [SGD(lr=1e200), Adam(lr=0.01), SGD(lr=0.5), Momentum(lr=2.0)],
        factors=factors,
        schedule=Plateau(patience=3),
        order=order,
    )
    problem, budget = classes(network), Budget(epochs=5, losses_every=3)
    whole = train_population(cohort, problem, budget, 3)
    path = tmp_path / "cohort.safetensors"
    with pytest.raises(Interrupted):
        train_population(cohort, problem, budget, 3, kept=Checkpoint(path, kill_at))
    resumed = train_population(cohort, problem, budget, 3, kept=CohortCheckpoint(path, {}))
    for one, other in zip(whole, resumed, strict=True):
        assert one.outcome == other.outcome
        assert repr(one.curve) == repr(other.curve)
        assert all(torch.equal(x, other.weights[name]) or x.isnan().any() for name, x in one.weights.items())


@torch.no_grad()
def test_the_same_batches_are_compiled_where_an_epochs_last_is_the_first_after_a_kill():
    cohort, problem = members(RULES), classes("perceptron")
    prepared = []

    def backend(graph, examples, all_threads):
        prepared.append(graph)
        return graph

    def population():
        return Population(cohort, problem, 3, 8, None, backend)

    before, after = population(), population()
    before.evaluate()
    before.until(8)
    coming = batches_of_seeds(problem, before.first_row, 3, before.place)
    for place, batch in islice(coming, 3):
        before.step(batch, place)
    first = len(prepared)
    assert first > 0
    go_on(after, snapshot(before))
    after.until(8)
    after.step(*reversed(next(coming)))
    assert len(prepared) == first
    after.step(*reversed(next(coming)))
    assert len(prepared) == 2 * first


def test_numbers_below_the_least_normal_one_are_zero_inside_alone():
    tiny = torch.tensor([1e-38], dtype=torch.float32)
    with flushed():
        assert not (tiny * 0.01).any()
    assert (tiny * 0.01).all()


def test_an_lstm_in_single_precision_is_mapped():
    torch.set_default_dtype(torch.float32)
    hold_to_loop(members(RULES), classes("recurrent"), Budget(epochs=2), tolerance=1e-5)

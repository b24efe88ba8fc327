"""Settings that have ended leave a population, and nobody else notices."""

import pytest
import torch

from fallline.cohorts import Costs, train_population
from fallline.cohorts.population import Population
from fallline.rules import SGD, Adam, Momentum
from fallline.schedules import Cosine, Plateau
from fallline.training import Budget
from fallline.training.cohort_checkpoint import CohortCheckpoint
from tests.cohorts.networks import classes
from tests.cohorts.test_population import Checkpoint, Interrupted, hold_to_loop, members
from tests.double import double_precision as double_precision

pytestmark = pytest.mark.usefixtures("double_precision")
AT_ONCE = Costs(setting=1.0, preparing=0.0)
"""Leaving always repays."""
GONE = [SGD(lr=1e200), Momentum(lr=1e200), SGD(lr=1e201), Momentum(lr=1e201)]
MIXED = [GONE[0], Adam(lr=0.01), GONE[1], GONE[2], SGD(lr=0.05), GONE[3]]
"""Four of six settings diverge at once; of three programs, one is left without settings."""


def trained(cohort, problem, budget, costs=AT_ONCE, **options):
    """The members, and when others left."""
    compaction = []

    def compacted(*told):
        compaction.append(told)

    together = train_population(cohort, problem, budget, 3, costs=costs, compacted=compacted, **options)
    return together, compaction


def same_bits(one, other):
    assert one.outcome == other.outcome
    assert repr(one.curve) == repr(other.curve)
    assert all(x.numpy().tobytes() == other.weights[name].numpy().tobytes() for name, x in one.weights.items())


@pytest.mark.parametrize("network", ["perceptron", "batch norm", "dropout", "convolution", "partly frozen"])
@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_those_that_stay_train_as_in_the_loop(network, seeds):
    cohort, problem, budget = members(MIXED, seeds), classes(network), Budget(epochs=3, losses_every=2)
    hold_to_loop(cohort, problem, budget, costs=AT_ONCE)
    assert [left for _, left in trained(cohort, problem, budget)[1]] == [2 * len(seeds)]


@pytest.mark.parametrize("schedule", [Cosine(), Plateau(patience=2)])
def test_rates_noise_and_early_stopping_stay_with_their_members(schedule):
    rules = [*MIXED, Adam(lr=0.3), Adam(lr=1.0)]
    cohort = members(rules, factors={"patience": 2.0, "gradient_noise": 0.1}, schedule=schedule)
    together = hold_to_loop(cohort, classes("perceptron"), Budget(epochs=10), costs=AT_ONCE)
    endings = {str(one.outcome.ending) for one in together}
    assert endings == {"diverged", "stopped", "finished"}
    assert all(one.outcome.restored is not None for one in together if not one.outcome.diverged)
    assert len(trained(cohort, classes("perceptron"), Budget(epochs=10))[1]) > 1


def test_a_setting_stays_until_all_its_seeds_have_ended():
    cohort = members([SGD(lr=0.05), SGD(lr=0.06), SGD(lr=0.07)])
    problem = classes("perceptron")
    population = Population(cohort, problem, 3, 10, None, lambda graph, *_: graph)
    for setting, seed in [(0, 0), (1, 0), (1, 1), (2, 1)]:
        one = next(one for one in population.ones if (one.setting, one.seed) == (setting, seed))
        one.outcome = "ended"
    assert population.left == [0, 2]
    population.keep([0, 2])
    assert [(one.setting, one.seed) for one in population.active] == [(0, 1), (1, 0)]


def test_nobody_leaves_where_it_does_not_repay_or_half_are_left():
    problem, budget = classes("perceptron"), Budget(epochs=2)
    assert trained(members(MIXED), problem, budget, Costs(setting=1e-3, preparing=1.0))[1] == []
    assert trained(members(MIXED), problem, budget, None)[1] == []
    assert trained(members([GONE[0], *MIXED[-2:], Adam(), Adam(lr=0.01)]), problem, budget)[1] == []


def test_those_that_diverged_change_no_bit_of_the_others_where_nobody_leaves():
    problem, budget = classes("batch norm"), Budget(epochs=4)
    sound = [SGD(lr=1e-3), Adam(lr=0.01), Momentum(lr=1e-3), SGD(lr=2e-3), SGD(lr=0.05), Momentum(lr=2e-3)]
    with_others = trained(members(MIXED), problem, budget, None)[0]
    without = trained(members(sound), problem, budget, None)[0]
    kept = [place for place, one in enumerate(with_others) if not one.outcome.diverged]
    assert kept == [2, 3, 8, 9]
    for place in kept:
        same_bits(with_others[place], without[place])


@pytest.mark.parametrize("kill_at", [2, 5, 6, 9])
def test_a_population_killed_after_some_left_goes_on_with_the_same_bits(tmp_path, kill_at):
    factors = {"gradient_noise": 0.1, "patience": 2.0}
    cohort = members([*MIXED, Adam(lr=1.0)], factors=factors, schedule=Plateau(patience=3))
    problem, budget = classes("dropout"), Budget(epochs=5, losses_every=3)
    whole, compaction = trained(cohort, problem, budget)
    path = tmp_path / "cohort.safetensors"
    with pytest.raises(Interrupted):
        trained(cohort, problem, budget, kept=Checkpoint(path, kill_at))
    resumed, again = trained(cohort, problem, budget, kept=CohortCheckpoint(path, {}))
    assert compaction[0] == (4, 6)
    assert again == compaction
    for one, other in zip(whole, resumed, strict=True):
        same_bits(one, other)


def test_one_setting_by_itself_gives_what_it_gives_among_others():
    problem, budget = classes("batch norm"), Budget(epochs=4)
    alone = trained(members([Adam(lr=0.01)]), problem, budget)[0]
    among = trained(members([Adam(lr=0.01 * n) for n in range(1, 9)]), problem, budget)[0]
    for one, other in zip(alone, among, strict=False):
        for name, x in one.weights.items():
            torch.testing.assert_close(x, other.weights[name], rtol=1e-13, atol=1e-13)

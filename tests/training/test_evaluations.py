"""How many gradients a training evaluated."""

from dataclasses import dataclass

import pytest
import torch

from fallline import wrappers
from fallline.cohorts import Costs, train_population
from fallline.rules import SGD, Adam
from fallline.training import Budget, Member, train_cohort
from fallline.training.cohort_checkpoint import CohortCheckpoint
from tests.cohorts.networks import classes
from tests.cohorts.test_population import Checkpoint, Interrupted, members
from tests.double import double_precision as double_precision


@dataclass(frozen=True)
class Thrice(SGD):
    """Looks two short steps ahead."""

    def step(self, p, g, state, now):
        return super().step(p, now.gradient(p - 0.1 * now.gradient(p - 0.1 * g)), state, now)


pytestmark = pytest.mark.usefixtures("double_precision")
RULES = [
    Adam(lr=0.01),
    wrappers.SAM(SGD(lr=0.1)),
    SGD(lr=1e200),
    wrappers.Accumulate(SGD(lr=0.1), k=2),
    Thrice(lr=0.05),
]
A_STEP = [1, 2, 1, 1, 3]
BUDGET = Budget(epochs=3)


def counted(trained):
    return [one.curve["evaluations"][-1] / one.curve["step"][-1] for one in trained]


def test_a_rule_that_asks_for_further_gradients_counts_them():
    assert counted(train_cohort(members(RULES, (0,)), classes("perceptron"), BUDGET, seed=3)) == A_STEP


def test_a_torch_optimizer_counts_its_calls_of_the_closure():
    calls = []

    class Counting(torch.optim.LBFGS):
        def step(self, closure):
            return super().step(lambda: calls.append(1) or closure())

    own = Member("net", "lbfgs", Counting, {"lr": 0.1, "max_iter": 4}, batch_size=5)
    curve = train_cohort([own], classes("perceptron"), BUDGET, seed=3)[0].curve
    assert curve["evaluations"][0] == 0
    assert curve["evaluations"][-1] == len(calls) > curve["step"][-1]
    assert all(isinstance(count, int) for count in curve["evaluations"])


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_a_population_counts_for_each_setting(seeds):
    cohort = members(RULES, seeds)
    assert counted(train_population(cohort, classes("perceptron"), BUDGET, 3)) == [
        count for count in A_STEP for _ in seeds
    ]


def test_a_population_counts_what_comes_after_others_left_and_after_an_interruption(tmp_path):
    rules = [SGD(lr=1e202), *RULES, SGD(lr=1e201), wrappers.SAM(SGD(lr=1e200)), SGD(lr=1e199), SGD(lr=1e198)]
    cohort, problem, costs = members(rules, (0,)), classes("perceptron"), Costs(setting=1.0, preparing=0.0)
    path = tmp_path / "kept.safetensors"
    with pytest.raises(Interrupted):
        train_population(cohort, problem, BUDGET, 3, kept=Checkpoint(path, 6), costs=costs)
    went_on = train_population(cohort, problem, BUDGET, 3, kept=CohortCheckpoint(path, {}), costs=costs)
    assert counted(went_on) == [1, *A_STEP, 1, 2, 1, 1]
    assert all(isinstance(count, int) for one in went_on for count in one.curve["evaluations"])

from dataclasses import dataclass
from functools import cached_property

import pytest
import torch

import fallline as fl
from fallline.study import StudyResults

HOSTILE = '</script><b>"née" $x^$ & \'\u2028'


def hostile_optimizer():
    return type(HOSTILE, (torch.optim.SGD,), {})


@dataclass
class Studies:
    """Small real studies, each run once."""

    folder: object

    def run(self, name, *arguments, **settings) -> StudyResults:
        known = {"protocol": "sweep", "threads": 1, "progress": False}
        return fl.compare(*arguments, **{**known, **settings}, store=self.folder / name)

    @cached_property
    def digits(self) -> StudyResults:
        """Three optimizers with test data, a target, a best value at the edge, a diverging lr and a hostile name."""
        return self.run(
            "digits",
            "digits",
            ["sgd:lr=0.01|0.5|1000", "adam:lr=0.001|0.003|0.01", hostile_optimizer()],
            lrs=[0.01, 0.3],
            epochs=1,
            seeds=3,
            target="validation_accuracy>=0.6",
            command="fallline compare digits --seeds 3 <&>",
        )

    @cached_property
    def cubic(self) -> StudyResults:
        """Two batch sizes, two tuned hyperparameters, no test data."""
        return self.run(
            "cubic",
            "cubic",
            ["sgd", "momentum:momentum=0.5|0.9,lr=0.01|0.1"],
            lrs=[0.01, 0.1],
            batch_sizes=[32, 128],
            epochs=1,
            seeds=2,
        )

    @cached_property
    def two_problems(self) -> StudyResults:
        return self.run("two", ["cubic", "linear"], ["sgd", "adam"], lrs=[0.01, 0.1], epochs=1, seeds=1)

    @cached_property
    def penalised(self) -> StudyResults:
        """Conditions, metrics with long names, and the problem's own target; read again from its store."""
        return self._conditions("penalised")

    @cached_property
    def aimed(self) -> StudyResults:
        """The same with a target that was asked for: the second metric's."""
        return self._conditions("aimed", target="train_largest_absolute_error<=2")

    @cached_property
    def many(self) -> StudyResults:
        """Fourteen conditions with two learning rates each."""
        x = torch.linspace(-1, 1, 64)[:, None]
        problem = fl.Problem(
            model=lambda: torch.nn.Linear(1, 1), loss=torch.nn.functional.mse_loss, train=(x, 3 * x), name="line"
        )
        strengths = [0, *(0.5 * i for i in range(1, 14))]
        return self.run(
            "many", problem, ["sgd", "momentum"], lrs=[0.05, 0.1], vary={"l2": strengths}, epochs=9, seeds=1
        )

    @cached_property
    def one_rate(self) -> StudyResults:
        """One learning rate for each optimizer, one of which diverges, and two conditions."""
        return self.run(
            "one_rate", "linear", ["sgd:lr=1e4", "adam"], lrs=[0.1], vary={"l1": [0, 0.1]}, epochs=1, seeds=2
        )

    @cached_property
    def judged(self) -> StudyResults:
        """The full protocol: a search, reruns, a verdict on three optimizers, one with a hostile name, and a target."""
        return self.run(
            "judged", "cubic", ["sgd", "adam", hostile_optimizer()], lrs=[0.01, 0.1, 1000.0], epochs=2, seeds=2,
            final_seeds=7, protocol="full", target="validation_loss<=0.1",
        )  # fmt: skip

    @cached_property
    def conditions_judged(self) -> StudyResults:
        """One optimizer at the values given under two conditions, judged."""
        return self.run(
            "conditions_judged", "cubic", ["sgd:lr=0.1"], vary={"l2": [0, 0.1]}, epochs=1, final_seeds=6,
            protocol="full",
        )  # fmt: skip

    @cached_property
    def recorded(self) -> StudyResults:
        """Two problems under two conditions with all diagnostics."""
        return self.run(
            "recorded", ["linear", "cubic"], ["sgd", "adam"], lrs=[0.01], vary={"l2": [0, 0.1]}, epochs=1, seeds=2,
            diagnostics="all",
        )  # fmt: skip

    def _conditions(self, name, **changes) -> StudyResults:
        x = torch.linspace(-1, 1, 64)[:, None]
        problem = fl.Problem(
            model=lambda: torch.nn.Linear(1, 1),
            loss=torch.nn.functional.mse_loss,
            train=(x, 3 * x),
            test=(x, 3 * x),
            metrics={
                "mean_absolute_error": lambda output, target: (output - target).abs().mean(),
                "largest_absolute_error": lambda output, target: (output - target).abs().max(),
            },
            target="train_mean_absolute_error<=1",
            name="line",
        )
        return self.run(name, problem, ["momentum:lr=0.1"], vary={"l2": [0, 0.1]}, epochs=1, seeds=3, **changes)

    @cached_property
    def all_diverged(self) -> StudyResults:
        """A model given as an instance, nothing held out, one seed, and no survivor."""
        x = torch.linspace(-1, 1, 64)[:, None]
        problem = fl.Problem(
            model=torch.nn.Linear(1, 1),
            loss=torch.nn.functional.mse_loss,
            train=(x, 3 * x),
            validation=0.0,
            name="line",
        )
        return self.run("diverged", problem, [fl.rules.SGD(lr=100.0), fl.rules.Adam(lr=1e30)], epochs=3, seeds=1)


@pytest.fixture(scope="session")
def studies(tmp_path_factory):
    return Studies(tmp_path_factory.mktemp("studies"))

"""What training leaves for evaluations, and evaluations for each other: a population never sees it, and says so."""

from collections import deque

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from fallline.errors import InputError
from tests.study.studies import compare, line

pytestmark = pytest.mark.usefixtures("own_cache")


class Centred(nn.Linear):
    """Subtracts in evaluation what it last computed in training."""

    def __init__(self, kept):
        super().__init__(1, 1)
        self.kept = kept

    def forward(self, x):
        found = super().forward(x)
        if self.training:
            self.keep(found.detach().mean())
            return found
        return found - self.read()


class ByAttribute(Centred):
    def __init__(self):
        super().__init__(torch.zeros(()))

    def keep(self, mean):
        self.kept = mean

    def read(self):
        return self.kept


class InContainer(Centred):
    def keep(self, mean):
        self.kept.append(mean)

    def read(self):
        return self.kept[-1]


class Nested(Centred):
    def keep(self, mean):
        self.kept["train"].append(mean)

    def read(self):
        return self.kept["train"][-1]


class CountsEvaluations(nn.Linear):
    def __init__(self):
        super().__init__(1, 1)
        self.evaluations = 0

    def forward(self, x):
        self.evaluations += not self.training
        return super().forward(x) * (1 + self.evaluations)


class Remembering(nn.Linear):
    """Keeps its last output, which a metric may read."""

    def forward(self, x):
        found = super().forward(x)
        if self.training:
            self.last = found.detach().mean()
        return found


def last_error(model, batch):
    return getattr(model, "last", torch.zeros(())).abs()


def whole_loss(model, batch):
    return mse_loss(model(batch[0]), batch[1])


def with_memory():
    mean = torch.zeros(())

    def loss(output, target):
        nonlocal mean
        if torch.is_grad_enabled():
            mean = output.detach().mean()
            return mse_loss(output, target)
        return mse_loss(output, target) + mean

    return loss


class Running:
    """A metric that is a mean over all that it ever saw."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def __call__(self, output, target):
        self.total = self.total + (output - target).abs().sum()
        self.count += len(output)
        return self.total / self.count


class Sum(Running):
    def __call__(self, output, target):
        self.total = self.total + (output - target).abs().sum()
        return self.total


class Counting:
    calls = 0

    def __call__(self, output, target):
        self.calls += 1
        return (output - target).abs().mean() * self.calls


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": ByAttribute}, "it keeps kept from one step to the next"),
        ({"model": lambda: InContainer([torch.zeros(())])}, "it keeps kept from one step"),
        ({"model": lambda: InContainer(deque([torch.zeros(())], maxlen=2))}, "keeps something from one step"),
        ({"model": lambda: Nested({"train": [torch.zeros(())]})}, "it keeps kept from one step"),
        ({"model": CountsEvaluations}, "it changes evaluations as it runs"),
        (
            {"model": lambda: Remembering(1, 1), "loss": whole_loss, "metrics": {"last_error": last_error}},
            "keeps last from one step",
        ),
        ({"loss": with_memory()}, "it keeps mean from one step to the next"),
        ({"metrics": {"off_error": Running()}}, "its metric off_error changes count as it runs"),
        ({"metrics": {"off_error": Sum()}}, "keeps total from one evaluation to the next"),
        ({"metrics": {"off_error": Counting()}}, "its metric off_error changes calls as it runs"),
    ],
    ids=[
        "attribute",
        "list",
        "deque",
        "nested",
        "counted",
        "read by a metric",
        "loss",
        "running metric",
        "summing metric",
        "counting metric",
    ],
)
def test_what_is_kept_for_evaluations_trains_in_the_loop(tmp_path, changes, why):
    with pytest.raises(InputError, match=why):
        compare(tmp_path, line(**changes), runner="population")


@pytest.mark.parametrize("metric", [Running, Sum, Counting])
def test_metrics_that_remember_begin_anew_in_the_loop_where_nothing_was_tried(tmp_path, monkeypatch, metric):
    from fallline.study import together

    monkeypatch.setattr(together, "costs_of", lambda *_: None)
    found = compare(tmp_path, line(metrics={"off_error": metric()}), runner="auto", seeds=8, epochs=40)
    assert all(record.outcome.ending == "finished" for record in found.records)

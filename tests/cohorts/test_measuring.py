"""Evaluations of many members, in parts that memory allows."""

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

import fallline as fl
from fallline.cohorts import measuring
from fallline.cohorts.measuring import Measuring
from fallline.problems import prepare

SETTINGS, SEEDS = 3, 4


def test_parts_are_of_members_where_seeds_are_too_many_and_change_no_value(monkeypatch):
    data = torch.linspace(-1, 1, 10)[:, None], torch.linspace(0, 1, 10)[:, None]
    problem = prepare(fl.Problem(lambda: nn.Linear(1, 1), mse_loss, data, validation=0), 0, torch.device("cpu"))
    tensors = {"weight": torch.randn(SETTINGS, SEEDS, 1, 1), "bias": torch.randn(SETTINGS, SEEDS, 1)}
    sizes = []

    class Watched(Measuring):
        def _measured(self, tensors, batch):
            sizes.append(len(tensors["bias"]))
            return super()._measured(tensors, batch)

    def measured():
        sizes.clear()
        found = Watched(nn.Linear(1, 1), problem.objective, SEEDS)(tensors, problem.train_part)["loss"]
        # The first are the one whose memory is reckoned, looked at twice.
        return found, sizes[2:]

    whole, parts = measured()
    assert parts == [SETTINGS * SEEDS]
    for i in range(SETTINGS):
        for j in range(SEEDS):
            output = data[0] @ tensors["weight"][i, j].T + tensors["bias"][i, j]
            assert float(whole[i, j]) == pytest.approx(float(mse_loss(output, data[1])), rel=1e-5)
    monkeypatch.setattr(measuring, "AT_ONCE", 1)
    one_by_one, parts = measured()
    assert parts == [1] * (SETTINGS * SEEDS)
    torch.testing.assert_close(one_by_one, whole)

"""A loss that remembers what it has seen."""

import torch
from torch import nn

from tests.study.studies import compare, line


class Running(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, output, target):
        loss = torch.nn.functional.mse_loss(output, target)
        self.mean.mul_(0.9).add_(loss.detach(), alpha=0.1)
        return loss / (self.mean.detach() + 0.1)


def test_a_loss_with_state_is_every_trainings_own(tmp_path):
    problem = line(loss=Running())
    both = compare(tmp_path, problem, ["sgd", "adam"], store=tmp_path / "both")
    alone = compare(tmp_path, problem, ["adam"], store=tmp_path / "alone")
    kept = [record.curve.columns for record in both.records if record.description["optimizer"] == "adam"]
    assert kept == [record.curve.columns for record in alone.records]

"""The loss that remembers what it gave."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

import fallline as fl
from fallline.gallery.kept_losses import KeptLosses


def test_what_is_trained_on_is_kept_and_what_is_evaluated_is_not() -> None:
    kept = KeptLosses()
    target = torch.tensor([1, 0])
    outputs = [torch.tensor([[0.0, value], [1.0, 0.0]], requires_grad=True) for value in (1.0, 2.0, 3.0)]
    losses = [kept(output, target) for output in outputs]
    with torch.no_grad():
        kept(outputs[0], target)
    assert kept.last(2) == [loss.item() for loss in losses[1:]]
    assert losses[0].item() == cross_entropy(outputs[0], target).item()


def test_a_study_gives_it_the_loss_of_every_step(tmp_path: Path) -> None:
    kept = KeptLosses()
    results = fl.compare(
        replace(fl.problems.load("digits"), loss=kept),
        [fl.rules.SGD(lr=0.1)],
        batch_sizes=[16],
        steps=30,
        evaluate_every=1,
        seeds=1,
        threads=1,
        store=tmp_path / "study",
        progress=False,
    )
    assert kept.last(30) == pytest.approx(results.records[0].curve["batch_loss"][1:])

"""The loss that spells its batch: what was written can be read."""

import pytest
import torch
from torch import nn

from fallline.gallery.loader_problems import backwards, numbered, read, written


@pytest.mark.parametrize("rows", [(0,), (11, 0, 3), (0, 1, 2, 3, 4, 5), (5, 4)])
@pytest.mark.parametrize("worker", [0, 1, 2])
def test_rows_and_worker_are_read_as_written(rows, worker):
    model = nn.Linear(1, 1).double()
    batch = (torch.tensor(rows, dtype=torch.float64), torch.full((len(rows),), float(worker), dtype=torch.float64))
    loss = written(model, batch)
    loss.backward()
    assert read(float(loss.detach())) == ((worker - 1, *rows) if worker else rows)
    assert all(not p.grad.any() for p in model.parameters())


def test_the_collate_function_turns_a_batch_round():
    batch = backwards([(4.0, 0.0), (5.0, 0.0)])
    assert batch["rows"].tolist() == [5, 4]


def test_the_loader_is_torchs_own():
    loader = numbered("five", batch_size=5, drop_last=True).train
    assert [rows.tolist() for rows, _ in loader] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]

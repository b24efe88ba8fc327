import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from fallline.diagnostics import Watch


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3)
        self.shared, self.capped = nn.ReLU(), nn.ReLU6(inplace=True)
        self.hidden, self.out = nn.Linear(96, 5), nn.Linear(5, 2)

    def forward(self, x):
        x = functional.relu(self.conv1(x))
        x = self.shared(x)
        x = self.shared(self.capped(self.conv2(x)))
        x = torch.sigmoid(self.hidden(x.flatten(1)) + 100).relu()
        return functional.leaky_relu(self.out(x)).tanh()


def test_activations_are_seen_as_modules_and_as_functions():
    torch.manual_seed(0)
    model = Convolutions()
    model.conv1.bias.data[1] = -100
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(model, optimizer, every=1)
    model(torch.rand(7, 1, 8, 8)).sum().backward()
    optimizer.step()
    columns = watch.columns()
    found = {key.partition("/")[2]: columns[key][0] for key in columns if key.startswith("units/")}
    assert found == {
        "conv1:relu": 4,
        "conv1:relu#2": 4,
        "capped": 6,
        "conv2:relu": 6,
        "hidden:sigmoid": 5,
        "hidden:relu": 5,
    }
    assert columns["rows/conv1:relu"] == [7 * 36]
    assert columns["dead_units/conv1:relu"] == [1]
    assert columns["dead_fraction/conv1:relu"] == [0.25]
    assert columns["saturated_units/hidden:sigmoid"] == [5]
    assert columns["saturated_fraction/hidden:sigmoid"] == [1]
    assert [key for key in columns if key.startswith("output_rms/")] == [
        f"output_rms/{name}" for name in ("conv1", "conv2", "hidden", "out")
    ]


def test_the_output_size_is_the_root_of_the_mean_square():
    model = nn.Linear(1, 2, bias=False)
    model.weight.data = torch.tensor([[3.0], [1.0]])
    watch = Watch(model, optimizer := torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model(torch.ones(5, 1)).sum().backward()
    optimizer.step()
    assert watch.columns()["output_rms/Linear"] == [pytest.approx(math.sqrt(5), rel=1e-12)]


def test_the_calls_of_a_recurrent_model_are_taken_together():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.Linear(2, 2, bias=False)

        def forward(self, x):
            for _ in range(3):
                x = torch.relu(self.cell(x))
            return x

    model = Recurrent()
    model.cell.weight.data = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])  # 0, then 0 and 1 by turns
    watch = Watch(model, optimizer := torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model(torch.tensor([[0.0, 1.0]])).sum().backward()
    optimizer.step()
    assert watch.columns()["rows/cell:relu"] == [3]
    assert watch.columns()["dead_units/cell:relu"] == [1]


def test_units_of_a_sequence_are_features():
    model = nn.Sequential(nn.Embedding(9, 4), nn.ReLU(), nn.Linear(4, 1))
    watch = Watch(model, optimizer := torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model(torch.zeros(5, 7, dtype=torch.long)).sum().backward()
    optimizer.step()
    assert (watch.columns()["units/1"], watch.columns()["rows/1"]) == ([4], [35])

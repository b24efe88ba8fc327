"""Regression on a table read by pandas: categories, missing values, and scales taken from the training rows alone.

How heavy is a penguin, by its species, island, sex, bill and flippers? penguins.csv holds real measurements of 2007-09:
Gorman, Williams and Fraser (2014), doi:10.1371/journal.pone.0090081, by way of palmerpenguins (CC0),
doi:10.5281/zenodo.3960218.

    python examples/pandas_regression.py
    fallline compare examples/pandas_regression.py:penguins -o momentum -o adam --lr 0.003:0.3:3 --epochs 20
    fallline compare examples/pandas_regression.py:penguins -o adam:lr=0.03 --vary hidden=0,16,64
"""

from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor, nn

import fallline as fl

MASS, MEASURES = "body_mass_g", ["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]

# A penguin that was not weighed teaches nothing; an unknown sex is a category of its own.
table = pd.read_csv(Path(__file__).with_name("penguins.csv")).dropna(subset=MASS).fillna({"sex": "unknown"})
features = pd.get_dummies(table.drop(columns=MASS), dtype=float)

# Split here and not by fallline, because what is computed from data may look at training rows alone.
test, validation, train = np.split(np.random.default_rng(0).permutation(len(table)), [68, 136])
scale = features.iloc[train][MEASURES]
features[MEASURES] = (features[MEASURES] - scale.mean()) / scale.std()
mean_mass, mass_deviation = table.iloc[train][MASS].mean(), table.iloc[train][MASS].std()
target = (table[MASS] - mean_mass) / mass_deviation


def rows(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows, features) and target (rows, 1)."""
    return features.iloc[chosen].to_numpy(), target.iloc[chosen].to_numpy()[:, None]


def network(hidden: int = 16) -> nn.Module:
    """One hidden layer; with 0 units a linear model."""
    inputs = features.shape[1]
    if not hidden:
        return nn.Linear(inputs, 1)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def error_in_grams(output: Tensor, target: Tensor) -> Tensor:
    """The mean absolute error, back in the unit of the table."""
    return (output - target).abs().mean() * mass_deviation


penguins = fl.Problem(
    model=network,
    loss=nn.functional.mse_loss,
    train=rows(train),
    validation=rows(validation),
    test=rows(test),
    metrics={"mean_absolute_error": error_in_grams},
    factors={"hidden": 16},
    name="penguins",
)

if __name__ == "__main__":
    results = fl.compare(penguins, ["sgd", "momentum", "adam"], lrs=fl.log(0.003, 0.3, 3), epochs=20)
    results.table()
    print("Report:", results.report())

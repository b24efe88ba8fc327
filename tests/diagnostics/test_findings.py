import os
import re

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import fallline as fl
from fallline.diagnostics import Watch, findings
from fallline.diagnostics.depth import growth_per_layer
from fallline.errors import InputError

from .networks import deep, watched

DATA = os.environ.get("FALLLINE_DATA")


def columns(gradients, **more):
    """One record with these gradient norms, layers named 0, 1, ..."""
    return {"step": [0]} | {f"gradient_norm/{i}": [g] for i, g in enumerate(gradients)} | more


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(3))
def test_a_deep_sigmoid_network_vanishes(seed, dtype):
    torch.set_default_dtype(dtype)
    (found,) = findings(watched(deep(nn.Sigmoid, seed=seed)).columns())
    assert found.startswith("Vanishing gradients: the gradient norm falls from ")
    rate = re.search(r"in layer '18' to \S+ in layer '0', about (\S+) times per layer\.", found)
    assert 6 < float(rate[1]) < 8
    assert "Less than a thousandth arrives in layers '0', '2', '4', '6', '8', '10'" in found


@pytest.mark.parametrize("seed", range(3))
def test_a_deep_rectifier_network_by_he_is_silent(seed):
    assert findings(watched(deep(nn.ReLU, gain=1.0, seed=seed), steps=20).columns()) == []


@pytest.mark.parametrize("seed", range(3))
def test_rectifiers_with_weights_three_times_too_large_explode(seed):
    (found,) = findings(watched(deep(nn.ReLU, gain=3.0, seed=seed)).columns())
    rate = re.search(r"^Exploding gradients: the outputs .* layer '0' to .* layer '18', about (\S+) times", found)
    assert 2.5 < float(rate[1]) < 3.5


def test_what_explodes_in_time_and_ends_is_said():
    found = findings(watched(deep(nn.ReLU, gain=3.0), steps=20, lr=1.0).columns())
    assert found[0].startswith("Non-finite gradients first in layer '18' at step ")
    assert found[1].startswith("Non-finite weights first in layer ")
    assert any("gradient norm of the whole model grows from" in sentence for sentence in found)


@pytest.mark.skipif(DATA is None, reason="FALLLINE_DATA names no folder with the data files")
@pytest.mark.parametrize(("lr", "dead"), [(1.0, True), (0.01, False)])
def test_the_dead_units_of_mnist_at_rate_1_are_named(lr, dead):
    torch.set_default_dtype(torch.float32)
    problem = fl.problems.load("mnist", scaling="symmetric", data_dir=DATA)
    torch.manual_seed(0)
    model = problem.make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    images, labels = problem.train
    with Watch(model, optimizer, every=50) as watch:
        for rows in torch.randperm(60000).split(64):
            optimizer.zero_grad()
            cross_entropy(model(images[rows]), labels[rows]).backward()
            optimizer.step()
    found = findings(watch.columns())
    if not dead:
        assert found == []
    else:
        assert any("200 of 200 units of '1' (ReLU) give 0 for every row since step" in x for x in found)
        assert found[-1].endswith("no gradient reaches layer '0'.")


def test_the_gradient_may_explode_on_the_way_back():
    (found,) = findings(columns([8e4, 4e2, 2.0, 1e-2]))
    assert found == (
        "Exploding gradients: the gradient norm grows from 1.0e-02 in layer '3' to 8.0e+04 in layer '0', "
        "about 200.0 times per layer on the way back."
    )


def test_a_thousandfold_is_where_it_begins():
    assert findings(columns([1e-3, 1.001e0]))
    assert findings(columns([1e-3, 0.999e0])) == []
    assert findings(columns([1.001e0, 1e-3]))
    assert findings(columns([0.999e0, 1e-3])) == []


def test_a_fall_that_no_single_pair_of_layers_shows_names_none():
    # The line through the logarithms falls more than a thousand times, the ends differ by 800.
    norms = [1.25e-3, 1.4e-3, 0.5, 1.0]
    found = findings({"step": [0], **{f"gradient_norm/{i}": [norm] for i, norm in enumerate(norms)}})
    assert len(found) == 1
    assert "from 1.0e+00 in layer '3' to 1.3e-03 in layer '0'" in found[0]
    assert found[0].endswith("per layer.")


def test_one_odd_layer_is_not_a_fall():
    assert findings(columns([0.1, 0.2, 1e-5, 0.1, 0.2, 0.1])) == []
    assert growth_per_layer([1.0, 3.0, 9.0]) == pytest.approx(3)
    assert growth_per_layer([0.0, 3.0]) == growth_per_layer([]) == 1


def test_a_gradient_of_exactly_zero_is_said_unless_all_are_or_dead_units_explain_it():
    assert findings(columns([0.0, 0.0, 0.1])) == ["Vanishing gradients: the gradient is exactly 0 in layers '0', '1'."]
    assert findings(columns([0.0, 0.0, 0.0])) == []
    assert findings(columns([0.1, 0.0])) == []
    dead = {"units/r": [8], "rows/r": [64], "dead_units/r": [8]}
    assert findings(columns([0.0, 0.1], **dead)) == [
        "Dead units: 8 of 8 units of 'r' (ReLU) give 0 for every row; no gradient reaches layer '0'."
    ]
    steep = findings(columns([0.0, 1e-4, 1e2]))
    assert "about 1000000.0 times per layer, and is exactly 0 in layer '0'. Less" in steep[0]


def test_dead_units_are_said_from_three_quarters_and_sixteen_rows_on():
    def dead(count, rows):
        return findings(columns([0.1, 0.1], **{"units/r": [8], "rows/r": [rows], "dead_units/r": [count]}))

    assert dead(6, 16) == ["Dead units: 6 of 8 units of 'r' (ReLU) give 0 for every row."]
    assert dead(5, 16) == dead(6, 15) == []


def test_since_when_is_said():
    found = findings(
        {
            "step": [0, 10, 20, 30],
            "gradient_norm/0": [1.0, 1e-5, 1e-5, 1e-5],
            "gradient_norm/1": [1.0, 1.0, 1.0, 1.0],
            "units/r": [4, 4, 4, 4],
            "rows/r": [64, 64, 64, 64],
            "dead_units/r": [0, 4, 3, 3],
        }
    )
    assert "times per layer since step 10." in found[0]
    assert found[1] == "Dead units: 3 of 4 units of 'r' (ReLU) give 0 for every row since step 10."


def test_saturated_units_are_said():
    told = {"units/s": [4], "rows/s": [64], "saturated_units/s": [3], "saturated_fraction/s": [0.8]}
    (found,) = findings(columns([0.1, 0.1], **told))
    assert found.startswith("Saturated units: 3 of 4 units of 's' are within 1 % of an end for every row")


def test_what_is_not_finite_is_named_where_the_way_back_begins():
    found = findings(
        {
            "step": [0, 40],
            "gradient_norm/0": [0.1, float("nan")],
            "gradient_norm/2": [0.1, float("inf")],
            "gradient_norm/4": [0.1, 0.1],
            "nonfinite_gradients/0": [0, 7],
            "nonfinite_gradients/2": [0, 1],
            "nonfinite_gradients/4": [0, 0],
            "nonfinite_weights/0": [0, 1],
        }
    )
    assert found == [
        "Non-finite gradients first in layer '2' at step 40 (8 values, in layers '0', '2').",
        "Non-finite weights first in layer '0' at step 40 (1 value, in layer '0').",
    ]


def test_columns_are_checked():
    assert findings({"step": []}) == []
    with pytest.raises(InputError, match="need a column 'step'"):
        findings({"gradient_norm/0": [1.0]})
    with pytest.raises(InputError, match="'gradient_norm/0' has 1 rows; 'step' has 2"):
        findings({"step": [0, 1], "gradient_norm/0": [1.0]})
    assert findings({"step": [0], "train_loss": [1.0], "gradient_norm/0": [1.0]}) == []

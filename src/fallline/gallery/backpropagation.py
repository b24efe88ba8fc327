"""Backpropagation by hand: the chain rule written out, autograd and finite differences side by side."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

import fallline as fl
from fallline.gallery.entry import Check, Entry, Setting, Shown, below, printed
from fallline.gallery.pictures import figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor, nn

    Gradients = Mapping[str, Tensor]

DIFFERENCE = 1e-6
TOLERANCE = 1e-6


def by_hand(setting: Setting) -> Shown:
    """The published 2-2-2 network, and a larger one on a batch."""
    import torch

    network, x, t = _published()
    hidden, output = _forward(network, x)
    found = _three_ways(network, x, t)
    gradients = found["by hand"]
    factors = [float(f[0, 0]) for f in (output - t, output * (1 - output), hidden)]
    published = (
        printed("outputs", output[0].tolist(), "0.75136507 0.772928465"),
        printed("error, the sum of half the squared errors", _error(network, x, t).item(), "0.298371109"),
        printed("dE/dw5 factor by factor: dE/do1, do1/dnet1, dnet1/dw5", factors, "0.74136507 0.186815602 0.593269992"),
        printed("dE/dw5, their product", float(gradients["2.weight"][0, 0]), "0.082167041"),
        printed("dE/dw1, through both outputs", float(gradients["0.weight"][0, 0]), "0.000438568"),
    )
    optimizer = fl.optim.SGD(network.parameters(), lr=0.5)
    _error(network, x, t).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    weights = torch.cat([network.get_parameter(f"{layer}.weight").detach().flatten() for layer in (0, 2)])
    stepped = printed(
        "w1 to w8 after one step at lr 0.5",
        weights.tolist(),
        "0.149780716 0.19956143 0.24975114 0.29950229 0.35891648 0.408666186 0.511301270 0.561370121",
    )
    larger = _three_ways(*_random())
    drawn, (sizes, apart) = figure("Backpropagation by hand, by autograd and by finite differences")
    _draw_side_by_side(sizes, found)
    _draw_differences(apart, {"2-2-2": found, "4-5-3": larger})
    return Shown(
        (*published, stepped, *_agree("2-2-2 network, one sample", found), *_agree("4-5-3 network, 8 samples", larger)),
        save(drawn, setting.picture("backpropagation-by-hand")),
    )


def chain_rule(network: "nn.Sequential", x: "Tensor", t: "Tensor") -> "Gradients":
    """The gradient of the error by the chain rule: x (rows, inputs), t (rows, outputs).

    E = sum (o - t)^2 / 2, o = sigmoid(net_o), net_o = W2 h + b2, h = sigmoid(net_h), net_h = W1 x + b1.
    """
    hidden, output = _forward(network, x)
    error_by_output = output - t
    output_by_net = output * (1 - output)
    error_by_output_net = error_by_output * output_by_net
    error_by_hidden = error_by_output_net @ network.get_parameter("2.weight").detach()
    hidden_by_net = hidden * (1 - hidden)
    error_by_hidden_net = error_by_hidden * hidden_by_net
    return {
        "0.weight": error_by_hidden_net.T @ x,
        "0.bias": error_by_hidden_net.sum(dim=0),
        "2.weight": error_by_output_net.T @ hidden,
        "2.bias": error_by_output_net.sum(dim=0),
    }


def _forward(network: "nn.Sequential", x: "Tensor") -> "tuple[Tensor, Tensor]":
    """The outputs of both layers."""
    hidden = network[:2](x).detach()
    return hidden, network[2:](hidden).detach()


def _error(network: "nn.Sequential", x: "Tensor", t: "Tensor") -> "Tensor":
    error: Tensor = ((network(x) - t) ** 2).sum() / 2
    return error


def _three_ways(network: "nn.Sequential", x: "Tensor", t: "Tensor") -> "dict[str, Gradients]":
    import torch

    names, parameters = zip(*network.named_parameters(), strict=True)
    autograd = torch.autograd.grad(_error(network, x, t), parameters)
    return {
        "by hand": chain_rule(network, x, t),
        "autograd": dict(zip(names, autograd, strict=True)),
        "finite differences": {name: _differences(network, name, x, t) for name in names},
    }


def _differences(network: "nn.Sequential", name: str, x: "Tensor", t: "Tensor") -> "Tensor":
    """(E(p + d) - E(p - d)) / 2d for every number p of a parameter."""
    import torch

    parameter = network.get_parameter(name).detach().flatten()
    found = torch.zeros_like(parameter)
    for i, value in enumerate(parameter.tolist()):
        errors = []
        for moved in (value + DIFFERENCE, value - DIFFERENCE):
            parameter[i] = moved
            errors.append(_error(network, x, t).item())
        parameter[i] = value
        found[i] = (errors[0] - errors[1]) / (2 * DIFFERENCE)
    return found.view_as(network.get_parameter(name))


def _published() -> "tuple[nn.Sequential, Tensor, Tensor]":
    """The widely used worked example of M. Mazur, 2015: two inputs, two hidden units, two outputs."""
    import torch

    network = _network(2, 2, 2)
    values = {
        "0.weight": [[0.15, 0.20], [0.25, 0.30]],
        "0.bias": [0.35, 0.35],
        "2.weight": [[0.40, 0.45], [0.50, 0.55]],
        "2.bias": [0.60, 0.60],
    }
    network.load_state_dict({name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()})
    x, t = torch.tensor([[[0.05, 0.10]], [[0.01, 0.99]]], dtype=torch.float64)
    return network, x, t


def _random() -> "tuple[nn.Sequential, Tensor, Tensor]":
    import torch

    from fallline.randomness import forked, seed_global

    with forked():
        seed_global(0, "backpropagation")
        return _network(4, 5, 3), torch.randn(8, 4, dtype=torch.float64), torch.rand(8, 3, dtype=torch.float64)


def _network(inputs: int, hidden: int, outputs: int) -> "nn.Sequential":
    from torch import nn

    return nn.Sequential(nn.Linear(inputs, hidden), nn.Sigmoid(), nn.Linear(hidden, outputs), nn.Sigmoid()).double()


def _agree(where: str, found: "dict[str, Gradients]") -> list[Check]:
    return [
        below(f"{where}: largest difference between {way} and by hand", float(_apart(found, way).max()), TOLERANCE)
        for way in ("autograd", "finite differences")
    ]


def _apart(found: "dict[str, Gradients]", way: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.abs(_flat(found[way]) - _flat(found["by hand"]))


def _flat(gradients: "Gradients") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.concatenate([part.numpy().ravel() for part in gradients.values()])


def _draw_side_by_side(axes: "Axes", found: "dict[str, Gradients]") -> None:
    from fallline.report.colors import looks

    names = ["w1", "w2", "w3", "w4", "b1", "b2", "w5", "w6", "w7", "w8", "b3", "b4"]
    width = 0.27
    for place, (way, look) in enumerate(looks(found).items()):
        heights = _flat(found[way])
        axes.bar(np.arange(len(heights)) + (place - 1) * width, heights, width, color=look.color, label=way)
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xticks(range(len(names)), names)
    axes.grid(visible=False, axis="x")
    axes.set(ylabel="dE/dp of the 2-2-2 network", xlabel="parameter p")
    axes.legend(loc="best")


def _draw_differences(axes: "Axes", networks: "dict[str, dict[str, Gradients]]") -> None:
    from fallline.report.colors import PALETTE

    for (size, found), marker in zip(networks.items(), ("o", "."), strict=True):
        for way, color in zip(("autograd", "finite differences"), PALETTE[1:], strict=False):
            apart = np.maximum(_apart(found, way), 1e-20)
            axes.plot(np.arange(len(apart)), apart, marker, color=color, markersize=5, label=f"{size}: {way}")
    axes.axhline(TOLERANCE, color="black", linestyle="--", linewidth=1, label="tolerance")
    axes.set_yscale("log")
    axes.set(ylabel="difference from by hand (1e-20: none)", xlabel="number of the parameter")
    axes.legend(loc="best")


ENTRIES = (
    Entry(
        "backpropagation-by-hand",
        "Backpropagation by hand",
        "Backpropagation is the chain rule, worked from the error backwards so that each factor is computed once: a "
        "layer's error times sigmoid' = o (1 - o), times the weights, is the error of the layer before. Written out "
        "factor by factor it gives autograd's gradients to rounding, and finite differences to their own precision, "
        "on the published 2-2-2 example, digit for digit, and on a larger network.",
        by_hand,
    ),
)

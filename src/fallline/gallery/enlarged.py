"""Digits of MNIST's size and network: its behaviour at large rates without its data."""

from dataclasses import replace

from torch.nn.functional import interpolate

from fallline.problems import Problem, load, mlp


def enlarged_digits() -> Problem:
    """The built-in digits at 28 x 28 pixels in [-1, 1], a 784-200-10 network, no test data."""
    digits = load("digits")
    images, labels = digits.train
    larger = interpolate(images.view(-1, 1, 8, 8), size=(28, 28)).flatten(1)
    return replace(
        digits,
        model=lambda: mlp((784, 200, 10)),
        train=(2 * larger - 1, labels),
        test=None,
        factors={},
        name="enlarged-digits",
    )

"""Two steps of every exported rule worked by hand, in plain float64 arithmetic written apart from the rules.

The weight starts at 1.5 and meets the gradients 0.5 and -0.25.
"""

from collections.abc import Callable
from math import sqrt

from fallline import rules
from fallline.rules import Rule

START = 1.5
GRADIENTS = (0.5, -0.25)

Loop = Callable[[], float]


def sgd() -> float:
    return 1.5 - 0.1 * 0.5 - 0.1 * -0.25


def sgd_damped() -> float:
    # v1 = 0.5, not damped; v2 = 0.9 * 0.5 + 0.7 * -0.25 = 0.275
    return 1.5 - 0.1 * 0.5 - 0.1 * 0.275


def momentum() -> float:
    # v1 = 0.5; v2 = 0.9 * 0.5 - 0.25 = 0.2
    return 1.5 - 0.1 * 0.5 - 0.1 * 0.2


def nesterov() -> float:
    # 0.5 + 0.9 * 0.5 = 0.95, then -0.25 + 0.9 * 0.2 = -0.07
    return 1.5 - 0.1 * 0.95 - 0.1 * -0.07


def adam() -> float:
    p = 1.5
    p -= 0.1 * 0.5 / (0.5 + 1e-8)
    m = 0.9 * 0.05 + 0.1 * -0.25  # 0.02
    v = 0.99 * 0.0025 + 0.01 * 0.0625  # 0.0031
    return p - 0.1 * (m / 0.19) / (sqrt(v / 0.0199) + 1e-8)


def amsgrad() -> float:
    # With beta2 = 0.5 the second moments are 0.125, then 0.0625 + 0.03125 = 0.09375: the first is larger.
    p = 1.5 - 0.1 * 0.5 / (0.5 + 1e-8)
    return p - 0.1 * (0.02 / 0.19) / (sqrt(0.125 / 0.75) + 1e-8)


def adamw() -> float:
    p = 1.5
    p -= 0.1 * (0.5 / (0.5 + 1e-8) + 0.2 * p)
    return p - 0.1 * ((0.02 / 0.19) / (sqrt(0.0031 / 0.0199) + 1e-8) + 0.2 * p)


def rmsprop() -> float:
    p = 1.5 - 0.1 * 0.5 / (sqrt(0.1 * 0.25) + 1e-8)
    return p - 0.1 * -0.25 / (sqrt(0.9 * 0.025 + 0.1 * 0.0625) + 1e-8)


def rmsprop_centered_with_momentum() -> float:
    first = 0.5 / (sqrt(0.025 - 0.05**2) + 1e-8)
    mean = 0.9 * 0.05 + 0.1 * -0.25
    second = 0.8 * first + -0.25 / (sqrt(0.02875 - mean**2) + 1e-8)
    return 1.5 - 0.1 * first - 0.1 * second


def adagrad() -> float:
    p = 1.5 - 0.1 * 0.5 / (sqrt(0.25) + 1e-10)
    return p - 0.1 * -0.25 / (sqrt(0.3125) + 1e-10)


def adagrad_with_decay_from_one() -> float:
    p = 1.5 - 0.1 * 0.5 / (sqrt(1.25) + 1e-10)
    return p - (0.1 / 1.5) * -0.25 / (sqrt(1.3125) + 1e-10)


def adagrad_eps_inside() -> float:
    return 1.5 - 0.1 * 0.5 / sqrt(0.25 + 0.1) - 0.1 * -0.25 / sqrt(0.3125 + 0.1)


def adadelta() -> float:
    first = sqrt(1e-6) / sqrt(0.025 + 1e-6) * 0.5
    moved = 0.1 * first**2
    second = sqrt(moved + 1e-6) / sqrt(0.9 * 0.025 + 0.1 * 0.0625 + 1e-6) * -0.25
    return 1.5 - first - second


def adamax() -> float:
    scale = 0.5 + 1e-8  # then 0.99 of it, which is above 0.25
    return 1.5 - 0.1 * 0.5 / scale - 0.1 * (0.02 / 0.19) / (0.99 * scale)


def nadam() -> float:
    mu1, mu2, mu3 = (0.9 * (1 - 0.5 * 0.96 ** (0.5 * t)) for t in (1, 2, 3))
    first = (1 - mu1) / (1 - mu1) * 0.5 + mu2 / (1 - mu1 * mu2) * 0.05
    second = (1 - mu2) / (1 - mu1 * mu2) * -0.25 + mu3 / (1 - mu1 * mu2 * mu3) * 0.02
    return 1.5 - 0.1 * first / (0.5 + 1e-8) - 0.1 * second / (sqrt(0.0031 / 0.0199) + 1e-8)


def radam() -> float:
    # The lengths are 1 and about 2: the second moment is not used yet.
    return 1.5 - 0.1 * 0.5 - 0.1 * (0.02 / 0.19)


def rprop() -> float:
    # The sign turns at the second step, which is left out.
    return 1.5 - 0.1


def rprop_with_too_long_a_step() -> float:
    return 1.5 - 0.01


def asgd() -> float:
    p = 1.5 * (1 - 0.2 * 0.1) - 0.1 * 0.5
    eta = 0.1 / (1 + 0.2 * 0.1) ** 0.75
    return p * (1 - 0.2 * eta) - eta * -0.25


def sparse_adam() -> float:
    # eps is beside the root of 0.0025, then of 0.0031, uncorrected.
    p = 1.5 - 0.1 * sqrt(0.01) / 0.1 * 0.05 / (0.05 + 0.1)
    return p - 0.1 * sqrt(0.0199) / 0.19 * 0.02 / (sqrt(0.0031) + 0.1)


def lion() -> float:
    # 0.8 * 0 + 0.2 * 0.5 points up. The average is then 0.05, and 0.8 * 0.05 + 0.2 * -0.25 = -0.01 points down.
    return 1.5 - 0.1 + 0.1


def lion_with_decay() -> float:
    p = 1.5 - 0.1 * (1 + 0.2 * 1.5)
    return p - 0.1 * (-1 + 0.2 * p)


VALUES: dict[str, list[tuple[Rule, Loop]]] = {
    "SGD": [
        (rules.SGD(lr=0.1), sgd),
        (rules.SGD(lr=0.1, momentum=0.9, dampening=0.3), sgd_damped),
        (rules.SGD(lr=0.1, momentum=0.9, nesterov=True), nesterov),
    ],
    "Momentum": [(rules.Momentum(lr=0.1), momentum), (rules.Momentum(lr=0.1, nesterov=True), nesterov)],
    "Adam": [
        (rules.Adam(lr=0.1, beta2=0.99), adam),
        (rules.Adam(lr=0.1, beta2=0.5, amsgrad=True), amsgrad),
    ],
    "AdamW": [(rules.AdamW(lr=0.1, beta2=0.99, weight_decay=0.2), adamw)],
    "RMSprop": [
        (rules.RMSprop(lr=0.1, alpha=0.9), rmsprop),
        (rules.RMSprop(lr=0.1, alpha=0.9, momentum=0.8, centered=True), rmsprop_centered_with_momentum),
    ],
    "Adagrad": [
        (rules.Adagrad(lr=0.1), adagrad),
        (rules.Adagrad(lr=0.1, lr_decay=0.5, initial_accumulator_value=1.0), adagrad_with_decay_from_one),
        (rules.Adagrad(lr=0.1, eps=0.1, eps_inside_root=True), adagrad_eps_inside),
    ],
    "Adadelta": [(rules.Adadelta(), adadelta)],
    "Adamax": [(rules.Adamax(lr=0.1, beta2=0.99), adamax)],
    "NAdam": [(rules.NAdam(lr=0.1, beta2=0.99, momentum_decay=0.5), nadam)],
    "RAdam": [(rules.RAdam(lr=0.1), radam)],
    "Rprop": [
        (rules.Rprop(lr=0.1), rprop),
        (rules.Rprop(lr=0.1, step_size_max=0.01), rprop_with_too_long_a_step),
    ],
    "ASGD": [(rules.ASGD(lr=0.1, lambd=0.2, t0=0.0), asgd)],
    "SparseAdam": [(rules.SparseAdam(lr=0.1, beta2=0.99, eps=0.1), sparse_adam)],
    "Lion": [
        (rules.Lion(lr=0.1, beta1=0.8, beta2=0.9), lion),
        (rules.Lion(lr=0.1, beta1=0.8, beta2=0.9, weight_decay=0.2), lion_with_decay),
    ],
}

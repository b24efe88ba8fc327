"""Paths on surfaces of two variables: what each classical rule does, seen from above."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import fallline as fl
from fallline.gallery.entry import Check, Entry, Setting, Shown, above, below, close_to, holds, printed
from fallline.gallery.pictures import draw_paths, draw_series, figure, save, values_on
from fallline.gallery.spelling import spelled

if TYPE_CHECKING:
    from fallline.problems import Surface

EPS = 1e-6


@dataclass(frozen=True)
class Walk:
    """A rule on a surface: after `steps` the distance to the nearest minimum (a saddle: the value) is below `bound`."""

    rule: str
    surface: str
    make: "Callable[[], fl.Rule]"
    steps: int
    bound: float

    @property
    def name(self) -> str:
        """The entry's name."""
        return f"trace-{self.rule}-{self.surface}"


WALKS = (
    Walk("sgd", "quadratic", lambda: fl.rules.SGD(lr=0.4), steps=100, bound=0.01),
    Walk("sgd", "rosenbrock", lambda: fl.rules.SGD(lr=0.001), steps=3000, bound=0.5),
    Walk("sgd", "beale", lambda: fl.rules.SGD(lr=0.03), steps=300, bound=0.05),
    Walk("sgd", "himmelblau", lambda: fl.rules.SGD(lr=0.01), steps=50, bound=1e-4),
    Walk("sgd", "saddle", lambda: fl.rules.SGD(lr=0.1), steps=30, bound=-1.0),
    Walk("momentum", "quadratic", lambda: fl.rules.Momentum(lr=0.1), steps=150, bound=0.01),
    Walk("momentum", "rosenbrock", lambda: fl.rules.Momentum(lr=0.001), steps=1000, bound=0.05),
    Walk("momentum", "beale", lambda: fl.rules.Momentum(lr=0.003), steps=200, bound=0.05),
    Walk("momentum", "himmelblau", lambda: fl.rules.Momentum(lr=0.01), steps=150, bound=0.01),
    Walk("momentum", "saddle", lambda: fl.rules.Momentum(lr=0.03), steps=30, bound=-1.0),
    Walk("adagrad", "quadratic", lambda: fl.rules.Adagrad(lr=1.0), steps=100, bound=1e-3),
    Walk("adagrad", "rosenbrock", lambda: fl.rules.Adagrad(lr=1.0), steps=3000, bound=0.35),
    Walk("adagrad", "beale", lambda: fl.rules.Adagrad(lr=1.0), steps=300, bound=0.1),
    Walk("adagrad", "himmelblau", lambda: fl.rules.Adagrad(lr=0.5), steps=100, bound=1e-4),
    Walk("adagrad", "saddle", lambda: fl.rules.Adagrad(lr=0.3), steps=30, bound=-1.0),
    Walk("rmsprop", "quadratic", lambda: fl.rules.RMSprop(lr=0.1), steps=100, bound=1e-3),
    Walk("rmsprop", "rosenbrock", lambda: fl.rules.RMSprop(lr=0.01), steps=2000, bound=0.2),
    Walk("rmsprop", "beale", lambda: fl.rules.RMSprop(lr=0.03), steps=400, bound=0.1),
    Walk("rmsprop", "himmelblau", lambda: fl.rules.RMSprop(lr=0.03), steps=100, bound=0.01),
    Walk("rmsprop", "saddle", lambda: fl.rules.RMSprop(lr=0.03), steps=30, bound=-1.0),
    Walk("adadelta", "quadratic", lambda: fl.rules.Adadelta(lr=3.0), steps=600, bound=0.05),
    Walk("adadelta", "rosenbrock", lambda: fl.rules.Adadelta(lr=0.3), steps=2000, bound=0.4),
    Walk("adadelta", "beale", lambda: fl.rules.Adadelta(lr=3.0), steps=400, bound=0.2),
    Walk("adadelta", "himmelblau", lambda: fl.rules.Adadelta(lr=1.0), steps=500, bound=0.01),
    Walk("adadelta", "saddle", lambda: fl.rules.Adadelta(lr=1.0), steps=100, bound=-1.0),
    Walk("adam", "quadratic", lambda: fl.rules.Adam(lr=0.3), steps=200, bound=1e-3),
    Walk("adam", "rosenbrock", lambda: fl.rules.Adam(lr=0.1), steps=1000, bound=0.01),
    Walk("adam", "beale", lambda: fl.rules.Adam(lr=0.3), steps=200, bound=0.01),
    Walk("adam", "himmelblau", lambda: fl.rules.Adam(lr=0.3), steps=200, bound=1e-3),
    Walk("adam", "saddle", lambda: fl.rules.Adam(lr=0.1), steps=50, bound=-1.0),
)
"""One entry each; rates and bounds were chosen by running them."""

TITLES = {
    "sgd": "Gradient descent",
    "momentum": "Momentum",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adam": "Adam",
}
RULES = {
    "sgd": "Gradient descent steps along the gradient, so its rate must suit the steepest direction and is small "
    "for the flat one.",
    "momentum": "Momentum sums past gradients: what points the same way adds up, what alternates cancels, and the "
    "path swings past its goal before it settles.",
    "adagrad": "Adagrad divides each coordinate's rate by the root of all squared gradients it has seen, so that "
    "steep and flat directions advance alike and the rate only falls.",
    "rmsprop": "RMSprop divides by a running mean of squared gradients, so its rate can rise again where the slope "
    "becomes gentle.",
    "adadelta": "Adadelta sets its own scale from its own past steps: it begins with steps of the order of "
    "sqrt(eps) and lengthens them, and nothing shortens them near the goal, where it keeps jumping to and "
    "fro.",
    "adam": "Adam is momentum divided by a running root mean square of the gradient, both corrected for their start "
    "at zero, so its first steps have the length of the rate.",
}
SURFACES = {
    "quadratic": "The quadratic 0.1 x1^2 + 2 x2^2 is a valley twenty times steeper across than along.",
    "rosenbrock": "Rosenbrock's valley is easy to enter and bends; along its floor the slope is thousands of times "
    "gentler than across.",
    "beale": "Beale's function is flat in the middle and steep at its corners.",
    "himmelblau": "Himmelblau's function has four equal minima; which one is reached depends on the path.",
    "saddle": "The saddle x1^2 - x2^2 has no minimum: a rule must leave its centre along x2, where it starts "
    "0.01 from the ridge.",
}


def follow(walk: Walk, setting: Setting) -> Shown:
    """Follow a rule on a surface and see where it arrives."""
    from fallline.report import figures

    surface = fl.problems.surface(walk.surface)
    rule = walk.make()
    path = fl.trace(walk.surface, rule, steps=walk.steps)
    measure = distance(surface, path) if surface.minima else values_on(surface, path)
    what = "distance to the nearest minimum" if surface.minima else "value"
    return Shown(
        (below(f"{what} after {walk.steps} steps of {spelled(rule)}", float(measure[-1]), walk.bound),),
        figures.save_trace(path, surface, spelled(rule), setting.picture(walk.name)),
    )


def adagrad(lr: float, expected: str, outside: str, setting: Setting) -> Shown:
    """Adagrad with eps inside the root on the quadratic, and the rate of each coordinate."""
    surface = fl.problems.surface("quadratic")
    path = _adagrad_path(lr, inside=True)
    gradients = path[:-1] * (0.2, 4.0)
    rates = lr / np.sqrt(np.cumsum(gradients**2, axis=0) + EPS)
    applied = np.abs((path[:-1] - path[1:]) - rates * gradients).max()
    drawn, (map_, curve) = figure(f"Adagrad on 0.1 x1^2 + 2 x2^2 at lr {lr:g}")
    draw_paths(map_, surface, {"Adagrad": path})
    draw_series(curve, {"x1": rates[:, 0], "x2": rates[:, 1]}, "effective rate, lr / sqrt(s + eps)")
    return Shown(
        (
            printed("x1 and x2 after 20 steps", path[-1].tolist(), expected),
            printed("x1 with eps outside the root", float(_adagrad_path(lr, inside=False)[-1, 0]), outside),
            holds(
                "effective rate of each coordinate, lr / sqrt(s + eps)",
                "never rises",
                f"from {rates[0].round(4).tolist()} to {rates[-1].round(4).tolist()}",
                bool((np.diff(rates, axis=0) <= 0).all()),
            ),
            below("largest difference between a step and effective rate times gradient", float(applied), 1e-12),
        ),
        save(drawn, setting.picture(f"trace-adagrad-{lr:g}")),
    )


def _adagrad_path(lr: float, inside: bool) -> Any:
    rule = fl.rules.Adagrad(lr=lr, eps=EPS, eps_inside_root=inside)
    return fl.trace("quadratic", rule, start=(-5, -2), steps=20)


def narrow_valley(setting: Setting) -> Shown:
    """Momentum against plain descent on the quadratic."""
    rules = {
        "SGD, lr 0.4": fl.rules.SGD(lr=0.4),
        "SGD, lr 0.6": fl.rules.SGD(lr=0.6),
        "Momentum 0.5, lr 0.6": fl.rules.Momentum(lr=0.6, momentum=0.5),
    }
    paths = {name: fl.trace("quadratic", rule, start=(-5, -2), steps=20) for name, rule in rules.items()}
    surface = fl.problems.surface("quadratic")
    distances = {name: distance(surface, path) for name, path in paths.items()}
    calm, wild, momentum = (float(found[-1]) for found in distances.values())
    drawn, (map_, curve) = figure("Momentum against plain descent in a narrow valley")
    draw_paths(map_, surface, paths)
    draw_series(curve, distances, "distance to the minimum")
    return Shown(
        (
            printed("x1 and x2, plain descent at lr 0.4", paths["SGD, lr 0.4"][-1].tolist(), "-0.943467 -0.000073"),
            printed(
                "x1 and x2, plain descent at lr 0.6",
                paths["SGD, lr 0.6"][-1].tolist(),
                "-0.387814 -1673.365109",
            ),
            printed(
                "x1 and x2, momentum 0.5 at lr 0.6",
                paths["Momentum 0.5, lr 0.6"][-1].tolist(),
                "0.007188 0.002553",
            ),
            above("plain descent at lr 0.6: distance to the minimum after 20 steps", wild, 1000.0),
            above(
                "plain descent at lr 0.4: how many times farther away than momentum at lr 0.6",
                calm / momentum,
                10.0,
            ),
        ),
        save(drawn, setting.picture("trace-narrow-valley")),
    )


def stability(setting: Setting) -> Shown:
    """Gradient descent on both sides of 2 / largest curvature."""
    checks: list[Check] = []
    drawn, panels = figure("Gradient descent is stable below 2 / largest curvature")
    for axes, (name, minimum, curvature, away) in zip(
        panels, (("quadratic", (0.0, 0.0), 4.0, 1.0), ("himmelblau", (3.0, 2.0), 82.284, 1e-3)), strict=True
    ):
        surface = fl.problems.surface(name)
        values, directions = np.linalg.eigh(_hessian(surface, minimum))
        limit = 2 / values[-1]
        start = np.array(minimum) + away * directions[:, -1]
        distances = {
            f"{factor:g} of the limit": np.linalg.norm(
                fl.trace(name, fl.rules.SGD(lr=factor * limit), start=start.tolist(), steps=200) - minimum,
                axis=1,
            )
            for factor in (0.98, 1.02)
        }
        inside, outside = distances.values()
        draw_series(axes, distances, "distance to the minimum", {"start": away})
        axes.set_title(f"{name}: limit {limit:.5g}")
        checks += [
            close_to(
                f"{name}: largest curvature at {minimum}, from the Hessian",
                float(values[-1]),
                curvature,
                1e-3,
            ),
            below(
                f"{name}: distance after 200 steps at 0.98 of lr {limit:.5g}, in starts",
                inside[-1] / away,
                0.01,
            ),
            above(
                f"{name}: distance after 200 steps at 1.02 of lr {limit:.5g}, in starts",
                outside[-1] / away,
                10.0,
            ),
        ]
    return Shown(tuple(checks), save(drawn, setting.picture("trace-stability")))


def distance(surface: "Surface", path: Any) -> Any:
    """The distance of each point of a path to the nearest minimum."""
    minima = np.array(surface.minima)
    return np.linalg.norm(path[:, None, :] - minima[None], axis=-1).min(axis=1)


def _hessian(surface: "Surface", point: tuple[float, float]) -> Any:
    import torch

    hessian: Any = torch.autograd.functional.hessian
    at = torch.tensor(point, dtype=torch.float64)
    return hessian(lambda p: surface.function(p[0], p[1]), at).numpy()


ENTRIES = (
    Entry(
        "trace-adagrad-0.4",
        "Adagrad on the quadratic at lr 0.4",
        "The sum of squared gradients only grows, so the rate of each coordinate only falls. At lr 0.4 the "
        "steps are too short soon: after 20 of them x1 is not halfway to the minimum. eps stands inside the "
        "root, as in both tutorials' own versions; torch's stands outside, which shows in the sixth digit.",
        partial(adagrad, 0.4, "-2.382563 -0.158591", "-2.382564"),
    ),
    Entry(
        "trace-adagrad-2",
        "Adagrad on the quadratic at lr 2",
        "With a rate five times larger the same falling rates arrive: Adagrad forgives a rate that would "
        "throw plain descent out of the valley. Each coordinate's first step has exactly the length of the "
        "rate, whatever its slope.",
        partial(adagrad, 2.0, "-0.002295 -0.000000", "-0.002295"),
    ),
    Entry(
        "trace-narrow-valley",
        "Momentum against plain descent in a narrow valley",
        "Plain descent at lr 0.4 crawls along the valley and at lr 0.6 is thrown out of it sideways. "
        "Momentum cancels the alternating sideways gradients and adds up those along the valley: at lr 0.6 "
        "it is at the minimum after 20 steps.",
        narrow_valley,
    ),
    Entry(
        "trace-stability",
        "Gradient descent's stability limit",
        "Along a direction of curvature h a step multiplies the distance by 1 - lr h, so descent is stable "
        "for lr below 2 / h. The largest curvature is the Hessian's largest eigenvalue; two per cent below "
        "the limit the path returns to the minimum and two per cent above it leaves, on the quadratic and "
        "close to a minimum of Himmelblau's function alike.",
        stability,
    ),
    *(
        Entry(
            walk.name,
            f"{TITLES[walk.rule]} on {'the ' if walk.surface in ('quadratic', 'saddle') else ''}"
            f"{walk.surface if walk.surface in ('quadratic', 'saddle') else walk.surface.capitalize()}",
            f"{RULES[walk.rule]} {SURFACES[walk.surface]}",
            partial(follow, walk),
        )
        for walk in WALKS
    ),
)

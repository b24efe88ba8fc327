"""Why downhill is along the gradient: no direction falls faster than minus the gradient, up to the curvature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import fallline as fl
from fallline.gallery.entry import Check, Entry, Setting, Shown, above, below, close_to, within
from fallline.gallery.pictures import GREY, draw_series, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

LENGTHS = (1e-2, 1e-3, 1e-4)
DIRECTIONS = 2_000
CURVED = 100
ROWS = 200


@dataclass(frozen=True)
class Landscape:
    """A function that maps a float64 vector to a 0-d tensor, and the point from which it is seen."""

    name: str
    function: "Callable[[Tensor], Tensor]"
    point: "Tensor"

    @cached_property
    def steepness(self) -> float:
        """The norm of the gradient at the point."""
        return float(self._gradient.norm())

    @cached_property
    def downhill(self) -> "Tensor":
        """Minus the gradient, of length 1."""
        found: Tensor = -self._gradient / self._gradient.norm()
        return found

    def slopes(self, directions: "Tensor", length: float) -> "Tensor":
        """(f(x + e u) - f(x)) / e of every row u, e being the length."""
        import torch

        values: Tensor = torch.vmap(self.function)(self.point + length * directions)
        found: Tensor = (values - self.function(self.point)) / length
        return found

    def gap(self, length: float) -> float:
        """How far the slope along minus the gradient is above minus the gradient's norm."""
        return float(self.slopes(self.downhill[None], length)) + self.steepness

    def bound(self, directions: "Tensor") -> float:
        """K: half the largest curvature in any direction, at the point and where the longest steps end."""
        import torch

        tried = torch.cat([0 * self.downhill[None], self.downhill[None], directions[:CURVED]])
        hessians = self._hessians(self.point + LENGTHS[0] * tried)
        return float(torch.linalg.eigvalsh(hessians).abs().max()) / 2

    def half_curvature_downhill(self) -> float:
        """Half the second derivative along the gradient: what Taylor's formula says of gap / e."""
        return float(self.downhill @ self._hessians(self.point[None])[0] @ self.downhill) / 2

    @cached_property
    def _gradient(self) -> "Tensor":
        import torch

        found: Tensor = torch.func.grad(self.function)(self.point)
        return found

    def _hessians(self, points: "Tensor") -> "Tensor":
        import torch

        found: Tensor = torch.vmap(torch.func.jacrev(torch.func.grad(self.function)))(points)
        return found


def on_surfaces(setting: Setting) -> Shown:
    """Five surfaces, each seen from its own start."""
    import torch

    landscapes = [_surface(name) for name in fl.problems.SURFACES]
    seen = next(one for one in landscapes if one.name == "himmelblau")
    sideways = torch.stack([-seen.downhill[1], seen.downhill[0]])
    angles = torch.linspace(-torch.pi, torch.pi, 181, dtype=torch.float64)[:, None]
    around = angles.cos() * seen.downhill + angles.sin() * sideways
    drawn, (slopes, gaps) = figure("Downhill is along the gradient: surfaces")
    draw_series(
        slopes,
        {f"e = {e:g}": seen.slopes(around, e) for e in (1.0, 0.3, 1e-2, 1e-4)},
        "himmelblau: (f(x + e u) - f(x)) / e",
        {"minus the gradient's norm": -seen.steepness},
        x=angles[:, 0].rad2deg().round().tolist(),
        xlabel="degrees from minus the gradient",
        log=False,
    )
    _draw_gaps(gaps, landscapes)
    curved_down = below(
        "himmelblau curves downwards at its start: gap at e = 0.01, (f(x + e u) - f(x)) / e + |gradient|",
        seen.gap(LENGTHS[0]),
        0.0,
    )
    steepest = angles[seen.slopes(around, 1.0).argmin(), 0].rad2deg()
    turned = above(
        "himmelblau at e = 1: degrees between minus the gradient and the direction of 181 that falls farthest",
        abs(float(steepest)),
        10.0,
    )
    checks = [check for one in landscapes for check in _checks(one)]
    return Shown((*checks, curved_down, turned), save(drawn, setting.picture("descent-direction-surface")))


def on_network(setting: Setting) -> Shown:
    """A small network: its weights are the place, its loss is the height."""
    from fallline.report.colors import PALETTE

    seen = _network()
    directions = _directions(seen)
    cosines = directions @ seen.downhill
    drawn, (slopes, gaps) = figure(f"Downhill is along the gradient: a network of {len(seen.point)} weights")
    for e, color in zip((1.0, 0.3, LENGTHS[0]), PALETTE, strict=False):
        found = seen.slopes(directions, e)
        slopes.plot(cosines, found, ".", color=color, markersize=3, label=f"random u, e = {e:g}")
    slopes.plot([-1, 1], [seen.steepness, -seen.steepness], color=GREY, linewidth=1, label="-|gradient| times cosine")
    slopes.axhline(-seen.steepness, color=GREY, linestyle="--", linewidth=1, label="minus the gradient's norm")
    slopes.set(xlabel="cosine between u and minus the gradient", ylabel="(f(x + e u) - f(x)) / e")
    slopes.legend(loc="upper right")
    _draw_gaps(gaps, [seen])
    away = [
        float((seen.slopes(directions, e) + seen.steepness * cosines).abs().max() / seen.steepness) for e in LENGTHS
    ]
    checks = (
        *_checks(seen),
        within(
            "largest distance of a slope from -|gradient| times cosine, at e over that at e / 10",
            _ratios(away),
            9.9,
            10.1,
        ),
        close_to(
            f"largest cosine with minus the gradient of {DIRECTIONS // 2} random directions drawn anywhere",
            float(cosines[: DIRECTIONS // 2].max()),
            0.64,
            0.005,
        ),
        above("slope of a step of length 1 along minus the gradient", seen.gap(1.0) - seen.steepness, 0.0),
    )
    return Shown(checks, save(drawn, setting.picture("descent-direction-network")))


def _checks(seen: Landscape) -> tuple[Check, ...]:
    directions = _directions(seen)
    bound = seen.bound(directions)
    least = [float(seen.slopes(directions, e).min()) + seen.steepness + bound * e for e in LENGTHS]
    gaps = [seen.gap(e) for e in LENGTHS]
    where = f"{seen.name}, |gradient| {seen.steepness:.4g}"
    lengths = ", ".join(f"{e:g}" for e in LENGTHS)
    return (
        above(
            f"{where}: least (f(x + e u) - f(x)) / e + |gradient| + K e over {DIRECTIONS} random u, "
            f"K = {bound:.4g}, e = {lengths}",
            least,
            0.0,
        ),
        within(f"{where}: gap of minus the gradient at e over that at e / 10", _ratios(gaps), 9.9, 10.1),
        within(
            f"{where}: gap / e over half the curvature along the gradient, e = {LENGTHS[-1]:g}",
            gaps[-1] / LENGTHS[-1] / seen.half_curvature_downhill(),
            0.99,
            1.01,
        ),
    )


def _ratios(values: Sequence[float]) -> list[float]:
    return [before / after for before, after in pairwise(values)]


def _directions(seen: Landscape) -> "Tensor":
    """Random unit directions: the first half anywhere, the others leaning towards minus the gradient."""
    import torch

    from fallline.randomness import torch_stream

    generator = torch_stream(0, "directions")
    random = torch.randn(DIRECTIONS, len(seen.point), generator=generator, dtype=torch.float64)
    random /= random.norm(dim=1, keepdim=True)
    lean = torch.linspace(0, 1, DIRECTIONS // 2, dtype=torch.float64)[:, None]
    random[DIRECTIONS // 2 :] = lean * seen.downhill + (1 - lean) * random[DIRECTIONS // 2 :]
    found: Tensor = random / random.norm(dim=1, keepdim=True)
    return found


def _surface(name: str) -> Landscape:
    import torch

    surface = fl.problems.surface(name)
    return Landscape(name, lambda p: surface.function(p[0], p[1]), torch.tensor(surface.start, dtype=torch.float64))


def _network() -> Landscape:
    """1-8-1 with tanh, which has a curvature everywhere, on 200 points of the cubic."""
    import torch
    from torch.nn.utils import parameters_to_vector

    from fallline.randomness import forked, seed_global

    x, y = (part[:ROWS].double() for part in fl.problems.load("cubic").train)
    with forked():
        seed_global(0, "initial weights")
        model = fl.problems.mlp((1, 8, 1), torch.nn.Tanh).double()
    shapes = {name: p.shape for name, p in model.named_parameters()}
    sizes = [shape.numel() for shape in shapes.values()]

    def loss(flat: "Tensor") -> "Tensor":
        parts = zip(shapes.items(), torch.split(flat, sizes), strict=True)
        weights = {name: part.view(shape) for (name, shape), part in parts}
        return torch.nn.functional.mse_loss(torch.func.functional_call(model, weights, (x,)), y)

    return Landscape("1-8-1 network", loss, parameters_to_vector(model.parameters()).detach())


def _draw_gaps(axes: "Axes", landscapes: Sequence[Landscape]) -> None:
    draw_series(
        axes,
        {one.name: [abs(one.gap(e)) for e in LENGTHS] for one in landscapes},
        "|gap| of minus the gradient",
        x=LENGTHS,
        xlabel="length e of the step",
    )
    axes.set_xscale("log")
    first = abs(landscapes[0].gap(LENGTHS[-1]))
    axes.plot(
        [LENGTHS[-1], LENGTHS[0]], [first / 3, first / 3 * 100], color=GREY, linestyle="--", label="in proportion to e"
    )
    axes.legend(loc="best")


ENTRIES = (
    Entry(
        "descent-direction-surface",
        "Why downhill is along the gradient: surfaces",
        "For a small step no direction falls faster than minus the gradient: the slope along u is minus the "
        "gradient's norm times the cosine between u and minus the gradient, and what is left is curvature, in "
        "proportion to the step. It is a statement about small steps: after longer ones, where the surface curves, "
        "another direction wins.",
        on_surfaces,
    ),
    Entry(
        "descent-direction-network",
        "Why downhill is along the gradient: a network",
        "The same in the 25 weights of a small network: for small steps every direction falls at the gradient's norm "
        "times its cosine, and of a thousand random ones the best falls at 0.64 of minus the gradient's speed. With a "
        "step of length 1 minus the gradient goes uphill: it says where, not how far.",
        on_network,
    ),
)

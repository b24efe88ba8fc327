"""One step of a rule on given weights and gradients, under each executor."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from fallline.executors import Part, Surroundings, foreach, initial_state, initial_states, population, reference
from fallline.rules import Rule

Step = Callable[..., list[Tensor]]


def surroundings(noise: float) -> Surroundings:
    return Surroundings(step=1, noise=lambda p, position, call: torch.full_like(p, noise))


def one_after_another(executor: Callable[..., object]) -> Step:
    def step(rule: Rule, p: Sequence[Tensor], g: Sequence[Tensor], t: int = 1, noise: float = 0.0) -> list[Tensor]:
        count = len(p)
        state = [initial_state(rule, q) for q in p]
        part = Part(rule, list(p), list(g), state, [rule.floats()] * count, [t] * count, list(range(count)))
        update = executor([part], surroundings(noise))[0]  # type: ignore[index]
        return [q - d for q, d in zip(p, update.decrement, strict=True)]

    return step


def as_members(rule: Rule, p: Sequence[Tensor], g: Sequence[Tensor], t: int = 1, noise: float = 0.0) -> list[Tensor]:
    """The second of two members; the first has another value of every float."""
    values = {name: torch.tensor([0.5 * x + 0.01, x], dtype=torch.float64) for name, x in rule.floats().items()}
    stacked = [torch.stack([q, q]) for q in p]
    states = initial_states(rule, values, stacked)
    gradients = [torch.stack([torch.full_like(x, torch.nan), x]) for x in g]
    update = population(rule, values, stacked, gradients, states, t, surroundings(noise))
    return [q - d[1] for q, d in zip(p, update.decrement, strict=True)]


EXECUTORS = pytest.mark.parametrize(
    "step",
    [one_after_another(reference), one_after_another(foreach), as_members],
    ids=["reference", "foreach", "population"],
)


Walk = Callable[..., tuple[list[list[Tensor]], list[list[Tensor]]]]
"""Several steps: the weights after each, and the weights to evaluate with."""


def walk_of(executor: Callable[..., object] | None) -> Walk:
    """Steps of one executor, or of a population: of two members the second, the first with NaN for gradients."""

    def walk(
        rule: Rule,
        p: Sequence[Tensor],
        gradients: Sequence[Sequence[Tensor]],
        further: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        count = len(p)
        positions = list(range(count))
        values = {name: torch.tensor([0.5 * x + 0.01, x], dtype=torch.float64) for name, x in rule.floats().items()}
        now = list(p) if executor else [torch.stack([q, q]) for q in p]
        state = [initial_state(rule, q) for q in now] if executor else initial_states(rule, values, now)
        weights, points = [], []
        for t, g in enumerate(gradients, start=1):
            around = Surroundings(
                step=t,
                noise=lambda p, position, call: torch.zeros_like(p),
                gradient=None if further is None else lambda asked: [further(x) for _, x in asked],
            )
            if executor:
                part = Part(rule, now, list(g), state, [rule.floats()] * count, [t] * count, positions)
                update = executor([part], around)[0]  # type: ignore[index]
            else:
                stacked = [torch.stack([torch.full_like(x, torch.nan), x]) for x in g]
                update = population(rule, values, now, stacked, state, t, around)
            now = [q - d for q, d in zip(now, update.decrement, strict=True)]
            state = update.state
            found = [rule.eval_point(q, s) for q, s in zip(now, state, strict=True)]
            weights.append(now if executor else [q[1] for q in now])
            points.append(found if executor else [q[1] for q in found])
        return weights, points

    return walk


WALKS = pytest.mark.parametrize(
    "walk",
    [walk_of(reference), walk_of(foreach), walk_of(None)],
    ids=["reference", "foreach", "population"],
)


def numbers(walked: Sequence[Sequence[Tensor]]) -> list[list[float]]:
    """The numbers of all parameters, step by step."""
    return [[x for p in step for x in p.reshape(-1).tolist()] for step in walked]

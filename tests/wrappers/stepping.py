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

"""The small made-up trainings on which a rule is proved: variants, values, tensors and surroundings."""

import itertools
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.executors import Part, Surroundings, Update, initial_state
from fallline.executors.each import Each
from fallline.executors.questions import run
from fallline.proof.findings import relative_difference
from fallline.randomness import numpy_stream
from fallline.rules import Now, Rule
from fallline.rules.kinds import Kind

_SHAPES: list[tuple[int, ...]] = [(), (5,), (3, 4), (2, 3, 2)]
_MATRICES: list[tuple[int, ...]] = [(4, 3), (3, 5), (4, 4), (5,), (2, 3, 2)]
_SEED = 0


def shapes_for(rule: Rule) -> list[tuple[int, ...]]:
    """Shapes that the rule can act on, all different."""
    shapes = _MATRICES if rule.acts_on == "matrix" else _SHAPES
    return [shape for shape in shapes if len(shape) in rule.ranks]


def variants(rule: Rule) -> list[Rule]:
    """The rule with every combination of its switches, and of its optional floats absent and present."""
    choices = {name: _programs(kind, rule.hyperparameters()[name]) for name, kind in rule.kinds().items()}
    found = []
    for values in itertools.product(*choices.values()):
        try:
            found.append(rule.replace(dict(zip(choices, values, strict=True))))
        except InputError:
            continue
    return found


def _programs(kind: Kind, value: Any) -> list[Any]:
    if kind.is_float and kind.optional:
        return [None, other_values(None, kind)[0] if value is None else value]
    if kind.type is bool:
        return [False, True]
    if typing.get_origin(kind.type) is typing.Literal:
        return list(typing.get_args(kind.type))
    return [value]


def other_values(value: float | None, kind: Kind) -> list[float]:
    """Legal values of a float field that differ from the one given."""
    near = [] if value is None else [0.9 * value, 0.5 * value, 0.7 * value]
    return [x for x in [*near, 0.9, 0.1, 0.01, 1.0, 2.0, -1.0, 10.0] if x in kind.range and x != value]


def describe(rule: Rule) -> str:
    """The rule's hyperparameters in one line."""
    values = ", ".join(f"{name}={value!r}" for name, value in rule.hyperparameters().items())
    return f"{type(rule).__name__}({values})"


def surroundings(step: int) -> Surroundings:
    """Keyed noise, and the gradient of a smooth function that acts on each weight alone."""

    def noise(p: Tensor, position: int, call: int) -> Tensor:
        return tensor(f"noise/{call}", position, step, tuple(p.shape), p.dtype)

    return Surroundings(step, noise, lambda points: [x + torch.sin(x) for _, x in points])


def tensor(purpose: str, position: int, step: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A keyed standard normal tensor."""
    stream = numpy_stream(_SEED, f"check/{purpose}", position, step)
    return torch.as_tensor(stream.standard_normal(shape)).to(dtype)


def moments(
    rule: Rule,
    dtype: torch.dtype = torch.float64,
    values: Sequence[Mapping[str, float]] | None = None,
    staggered: bool = False,
    steps: int = 3,
) -> Iterator[Part]:
    """The parameters before each of the first updates; fresh tensors, which a faulty rule may spoil.

    `values` gives each parameter its own floats; `staggered` lets each have been updated one time more than
    the one before it.
    """
    shapes = shapes_for(rule)
    positions = list(range(len(shapes)))
    part = Part(
        rule,
        p=[tensor("p", i, 0, shape, dtype) for i, shape in enumerate(shapes)],
        values=[dict(v) for v in values] if values else [rule.floats()] * len(shapes),
        t=[1 + (i if staggered else 0) for i in positions],
        position=positions,
    )
    part.state = [initial_state(rule.bind(v), p.clone()) for p, v in zip(part.p, part.values, strict=True)]
    for step in range(1, steps + 1):
        part = replace(part, g=[tensor("g", i, step, shape, dtype) for i, shape in enumerate(shapes)])
        yield part.copy()
        update = alone(part.copy(), surroundings(step))
        part = replace(
            part,
            p=[p - d for p, d in zip(part.p, update.decrement, strict=True)],
            state=update.state,
            t=[t + 1 for t in part.t],
        )


def raw_steps(part: Part, around: Surroundings, as_tensors: bool = False) -> list[Any]:
    """What the rule's step returns for each parameter as a plain tensor, the formula run as it is written.

    With `as_tensors` the floats and t are 0-d float64 tensors.
    """

    def plain(x: Any) -> Any:
        return torch.tensor(float(x), dtype=torch.float64) if as_tensors else x

    def step(single: Part, now: Now) -> Any:
        rule = single.rule.bind({name: plain(value) for name, value in single.values[0].items()})
        return rule.step(single.p[0], single.g[0], single.state[0], _for_one(now, plain(single.t[0])))

    singles = [
        Part(part.rule, *([item] for item in items))
        for items in zip(part.p, part.g, part.state, part.values, part.t, part.position, strict=True)
    ]
    with torch.no_grad():
        return run(step, singles, part.t, around)


def _for_one(now: Now, t: Any) -> Now:
    def on_one(question: Any) -> Any:
        return lambda x: question(Each([x])).items[0]

    return Now(
        t=t,
        total=lambda x: now.total(Each([x])),  # type: ignore[arg-type]
        noise=on_one(now.noise),
        due=now.due,
        gradient=on_one(now.gradient),
    )


def alone(part: Part, around: Surroundings, as_tensors: bool = False) -> Update:
    """The update of each parameter by itself, against which lists of parameters are held."""
    results = raw_steps(part, around, as_tensors)
    return Update(
        decrement=[decrement.to(p.dtype) for (decrement, _), p in zip(results, part.p, strict=True)],
        state=[
            {name: value.to(old[name].dtype) for name, value in new.items()}
            for (_, new), old in zip(results, part.state, strict=True)
        ],
    )


def furthest(update: Update, right: Update) -> tuple[float, str]:
    """The largest relative difference between two updates, and where it is."""
    found = (0.0, "")
    for i, (a, b) in enumerate(zip(update.decrement, right.decrement, strict=True)):
        pairs = {"the decrement": (a, b)}
        if update.state[i].keys() != right.state[i].keys():
            return float("inf"), f"the state's names, of shape {tuple(b.shape)}"
        pairs |= {f"state {name!r}": (value, right.state[i][name]) for name, value in update.state[i].items()}
        for name, (x, y) in pairs.items():
            difference = relative_difference(x, y)
            if difference > found[0]:
                found = difference, f"{name} of the parameter of shape {tuple(b.shape)}"
    return found

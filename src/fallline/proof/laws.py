"""The laws of a rule, each a function that says what it saw, or raises Broken where the law does not hold."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fallline.executors import Part, foreach, initial_state, reference
from fallline.proof.findings import Broken, one_line
from fallline.proof.members import TOLERANCE, hold, members_apart, members_of, name_of
from fallline.proof.trials import (
    alone,
    moments,
    raw_steps,
    shapes_for,
    surroundings,
)
from fallline.randomness import forked
from fallline.rules import Rule


@dataclass(frozen=True)
class Law:
    """What must hold, its proof for one rule, and what to do where the proof raises."""

    what: str
    proof: Callable[[Rule], str]
    advice: str


def pure(rule: Rule) -> str:
    """Nothing is changed in place, and equal inputs give equal bits."""
    with own_random_state() as drawn:
        for part in moments(rule):
            _init_is_pure(rule, part)
            given = part.copy()
            first = raw_steps(given, surroundings(part.t[0]))
            if drawn():
                raise Broken("step draws from a global random generator; draw with now.noise(p)")
            for name, before, after in _inputs(part, given):
                if before.keys() != after.keys():
                    raise Broken(f"step adds to or removes from the {name} it was given; return a new dict")
                if spoilt := [key for key in before if not _same(before[key], after[key])]:
                    raise Broken(f"step changes {spoilt[0]} in place; compute a new tensor")
            second = raw_steps(part.copy(), surroundings(part.t[0]))
            for (a, state_a), (b, state_b) in zip(first, second, strict=True):
                if not (_same(a, b) and all(_same(value, state_b.get(n)) for n, value in state_a.items())):
                    raise Broken("two calls with the same inputs differ: step remembers or draws something")
    return "equal inputs give equal bits, and nothing is changed in place"


def returns_decrement_and_state(rule: Rule) -> str:
    """Step gives a decrement of the parameter's shape and a state as init made it."""
    for part in moments(rule):
        for p, old, result in zip(part.p, part.state, raw_steps(part.copy(), surroundings(part.t[0])), strict=True):
            where = f"for a parameter of shape {tuple(p.shape)}"
            if not isinstance(result, tuple) or len(result) != 2:
                raise Broken(f"step must return (decrement, state); got {type(result).__name__} {where}")
            decrement, new = result
            if not isinstance(decrement, Tensor) or decrement.shape != p.shape:
                raise Broken(f"the decrement must have p's shape; got {_shape(decrement)} {where}")
            if not isinstance(new, dict) or new.keys() != old.keys():
                names = list(new) if isinstance(new, dict) else type(new).__name__
                raise Broken(f"the new state must have init's names {list(old)}; got {names} {where}")
            for name, value in new.items():
                if not isinstance(value, Tensor) or value.shape != old[name].shape:
                    raise Broken(f"state {name!r} must keep its shape {_shape(old[name])}; got {_shape(value)}")
            if not decrement.isfinite().all():
                raise Broken(f"the decrement is not finite at an ordinary gradient, {where}")
    return "the decrement has p's shape, the state keeps init's names and shapes"


def floats_may_differ(rule: Rule) -> str:
    """Each float field may be a 0-d tensor, differ between members, and differ between parameter groups."""
    _differing(rule, [])  # What raises here is no float's fault.
    for name in rule.floats():
        try:
            _differing(rule, [name])
        except Exception as error:
            why = str(error) if isinstance(error, Broken) else one_line(error)
            raise Broken(f"{name}: {why}. Use no `if` on it and no float()") from None
    _differing(rule, list(rule.floats()))
    for part in moments(rule):
        right = alone(part.copy(), surroundings(part.t[0]))
        hold(
            "t and floats as 0-d tensors",
            alone(part.copy(), surroundings(part.t[0]), as_tensors=True),
            right,
        )
    return f"{', '.join(rule.floats()) or 'no float fields'}: differing between members, groups, and as tensors"


def written_as_for_one(rule: Rule) -> str:
    """Lists of differently shaped tensors give what each tensor gives by itself."""
    for staggered in (False, True):
        for part in moments(rule, staggered=staggered):
            right = alone(part.copy(), surroundings(part.t[0]))
            name = "a list whose parameters have different t" if staggered else "a list of tensors"
            hold(name, reference([part.copy()], surroundings(part.t[0]))[0], right)
    return f"lists equal single tensors, shapes {', '.join(map(str, shapes_for(rule)))}"


def executors_agree(rule: Rule) -> str:
    """One step of foreach and of population equals one of the reference, in float64 and float32."""
    largest = dict.fromkeys(TOLERANCE, 0.0)
    for dtype in TOLERANCE:
        for staggered in (False, True):
            for part in moments(rule, dtype, staggered=staggered):
                right = reference([part.copy()], surroundings(part.t[0]))[0]
                update = foreach([part.copy()], surroundings(part.t[0]))[0]
                largest[dtype] = max(largest[dtype], hold(f"foreach in {name_of(dtype)}", update, right, dtype, rule))
        apart = members_apart(rule, list(rule.floats()), dtype)
        largest[dtype] = max(largest[dtype], apart)
    return "one step, largest difference " + ", ".join(f"{x:.1e} in {name_of(d)}" for d, x in largest.items())


_AS_WORDS = "Use operators and the words of rules.maths."
PURE = Law("law 1: step is pure", pure, "Write init and step with operators that make new tensors.")
RETURNS = Law("law 2: step returns decrement and state", returns_decrement_and_state, "Return (decrement, state).")
FLOATS_MAY_DIFFER = Law("law 3: floats may differ", floats_may_differ, "Use maths.where instead of `if`.")
AS_FOR_ONE = Law("law 4: written as for one tensor", written_as_for_one, _AS_WORDS)
EXECUTORS_AGREE = Law("every executor equals the reference", executors_agree, _AS_WORDS)


def _differing(rule: Rule, names: list[str]) -> None:
    spread = [{**rule.floats(), **member} for member in members_of(rule, names, len(shapes_for(rule)))]
    for part in moments(rule, values=spread):
        right = alone(part.copy(), surroundings(part.t[0]))
        hold(
            "different values in parameter groups",
            reference([part.copy()], surroundings(part.t[0]))[0],
            right,
        )
    members_apart(rule, names, torch.float64)


def _init_is_pure(rule: Rule, part: Part) -> None:
    for p in part.p:
        given = p.clone()
        first, second = initial_state(rule, given), initial_state(rule, given)
        if not _same(p, given):
            raise Broken("init changes p in place; compute a new tensor")
        if first.keys() != second.keys() or not all(_same(first[name], second[name]) for name in first):
            raise Broken("two calls of init with the same p differ")


def _inputs(part: Part, given: Part) -> Iterator[tuple[str, dict[str, Tensor], dict[str, Tensor]]]:
    for i in range(len(part.p)):
        yield "parameter", {"p": part.p[i]}, {"p": given.p[i]}
        yield "gradient", {"g": part.g[i]}, {"g": given.g[i]}
        yield "state", *({f"state {n!r}": s for n, s in x.state[i].items()} for x in (part, given))  # type: ignore[misc]


def _same(a: Any, b: Any) -> bool:
    return (
        isinstance(a, Tensor)
        and isinstance(b, Tensor)
        and (a.dtype, a.shape) == (b.dtype, b.shape)
        and torch.allclose(a, b, rtol=0.0, atol=0.0, equal_nan=True)
    )


@contextmanager
def own_random_state() -> Iterator[Callable[[], bool]]:
    """Tell whether the global generators were drawn from, and put them back."""

    def now() -> tuple[bytes, Any, str]:
        return (
            bytes(torch.get_rng_state().numpy()),
            random.getstate(),
            repr(np.random.get_state(legacy=False)),
        )

    python, numpy, before = random.getstate(), np.random.get_state(), now()
    try:
        with forked():
            yield lambda: now() != before
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _shape(x: Any) -> str:
    return str(tuple(x.shape)) if isinstance(x, Tensor) else type(x).__name__

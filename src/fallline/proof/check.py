"""The proof of a rule: its four laws, every executor, an optimizer of torch, and the time of its step."""

from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter

import torch

from fallline.errors import InputError
from fallline.optim.optimizer import Optimizer
from fallline.proof.against import TOLERANCE, equals_torch
from fallline.proof.findings import Broken, one_line
from fallline.proof.findings import Finding as Finding
from fallline.proof.findings import Report as Report
from fallline.proof.laws import (
    AS_FOR_ONE,
    EXECUTORS_AGREE,
    FLOATS_MAY_DIFFER,
    PURE,
    RETURNS,
    Law,
    own_random_state,
)
from fallline.proof.members import name_of
from fallline.proof.trials import describe, moments, raw_steps, surroundings, tensor, variants
from fallline.rules import Rule

_TIMED_SHAPES = [(64, 64), (64,)] * 10
_TIMED_ON = "10 tensors of (64, 64) and 10 of (64,), float32"
_ROUNDS, _STEPS_A_ROUND = 5, 20


def check(rule: type[Rule] | Rule, against: type[torch.optim.Optimizer] | None = None, steps: int = 100) -> Report:
    """Prove a rule, and hold it to a torch optimizer for some steps if one is named.

    A class is proved at its defaults, its switches on and off and its optional floats absent and present; a
    rule as it stands. What the rule's own code raises is a finding that did not pass; where a rule does not
    run, or breaks the first two laws, nothing further is checked. Raises InputError for what is no rule or no
    torch optimizer.

    >>> from fallline.rules import SGD
    >>> check(SGD(lr=0.1), against=torch.optim.SGD, steps=5).passed
    True
    """
    name = _checked(rule, against, steps)
    with own_random_state():
        findings, times = _prove(rule, against, steps)
    return Report(name, None if against is None else against.__name__, findings, _TIMED_ON, times)


def _prove(
    rule: type[Rule] | Rule, against: type[torch.optim.Optimizer] | None, steps: int
) -> tuple[list[Finding], dict[str, float]]:
    forms: list[Rule] = []
    findings = [_proved("init and step run", "Mend this first.", partial(_made_and_run, rule, forms))]
    if findings[0].passed:
        # The other laws read what a step returns, so that law comes first.
        findings += _proved_laws(forms, [RETURNS])
    if findings[-1].passed:
        findings[1:1] = _proved_laws(forms, [PURE])
    sound = len(findings) == 3 and findings[1].passed
    if sound:
        findings += _proved_laws(forms, [FLOATS_MAY_DIFFER, AS_FOR_ONE, EXECUTORS_AGREE])
    able = sound and findings[-1].passed
    if sound and against is not None:
        for dtype in TOLERANCE:
            what = f"{steps} steps equal {against.__name__} in {name_of(dtype)}"
            proof = partial(equals_torch, forms[0], against, steps, dtype, others=isinstance(rule, type))
            findings.append(_proved(what, "Both must take these hyperparameters and shapes.", proof))
    return findings, _step_times(forms[0]) if able else {}


def _checked(rule: object, against: object, steps: int) -> str:
    made = rule if isinstance(rule, type) else type(rule)
    if not issubclass(made, Rule):
        raise InputError(f"check proves a rule, such as fallline.rules.Adam; got {rule!r}.")
    if against is not None and not (isinstance(against, type) and issubclass(against, torch.optim.Optimizer)):
        raise InputError(f"check compares with a class of torch.optim, such as torch.optim.Adam; got {against!r}.")
    if steps < 1:
        raise InputError(f"check needs at least 1 step; got {steps}.")
    return made.__name__


def _proved_laws(forms: list[Rule], laws: list[Law]) -> list[Finding]:
    return [_proved(law.what, law.advice, partial(_every, forms, law)) for law in laws]


def _proved(what: str, advice: str, proof: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, proof())
    except Broken as error:
        return Finding(what, False, f"{error}.")
    except Exception as error:  # The rule is the user's code: whatever it raises is a finding.
        return Finding(what, False, f"{one_line(error)}. {advice}")


def _made_and_run(rule: type[Rule] | Rule, forms: list[Rule]) -> str:
    made = rule() if isinstance(rule, type) else rule
    found = [made, *(form for form in variants(made) if form != made)] if isinstance(rule, type) else [made]
    for form in found:
        _every([form], Law("", _runs, "Mend this first."))
    forms.extend(found)
    return f"{len(forms)} forms: defaults, switches on and off, optional floats absent and present"


def _runs(rule: Rule) -> str:
    part = next(moments(rule, steps=1))
    raw_steps(part, surroundings(1))
    return ""


def _every(forms: list[Rule], law: Law) -> str:
    """Prove a law for every form; the first fault names its form."""
    seen = ""
    for form in forms:
        try:
            seen = law.proof(form)
        except Broken as error:
            raise Broken(f"{describe(form)}: {error}") from None
        except Exception as error:
            raise Broken(f"{describe(form)}: {one_line(error)}. {law.advice.rstrip('.')}") from None
    return seen


def _step_times(rule: Rule) -> dict[str, float]:
    """Median microseconds of an optimizer's step, the executors taking turns."""
    steps = {executor: _timed_step(rule, executor) for executor in ("reference", "foreach")}
    times: dict[str, list[float]] = {executor: [] for executor in steps}
    for _ in range(_ROUNDS):
        for executor, step in steps.items():
            start = perf_counter()
            for _ in range(_STEPS_A_ROUND):
                step()
            times[executor].append((perf_counter() - start) / _STEPS_A_ROUND * 1e6)
    return {executor: round(median(found), 1) for executor, found in times.items()}


def _timed_step(rule: Rule, executor: str) -> Callable[[], object]:
    parameters = [tensor("p", i, 0, shape, torch.float32).requires_grad_() for i, shape in enumerate(_TIMED_SHAPES)]
    gradients = [tensor("g", i, 1, shape, torch.float32) for i, shape in enumerate(_TIMED_SHAPES)]
    taken = [i for i, p in enumerate(parameters) if p.dim() in rule.ranks]
    parameters, gradients = [parameters[i] for i in taken], [gradients[i] for i in taken]
    optimizer = Optimizer(parameters, rule, executor=executor)

    def closure() -> None:
        for p, g in zip(parameters, gradients, strict=True):
            p.grad = g

    def step() -> None:
        optimizer.step(closure)

    step()
    return step

"""Questions about the whole model, asked from inside a step, answered across all parts.

A part cannot know another part's tensors, so a question breaks the step off; when every part has asked or
ended, the answers are known and the steps run again with them. Steps are pure, so running them again is safe.
A model with a single part, the usual case, is answered at once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.executors.each import Each
from fallline.executors.part import Part, Surroundings
from fallline.rules import Now


class _Unanswered(Exception):
    def __init__(self, kind: str, x: Any) -> None:
        self.kind = kind
        self.x = x


Step = Callable[[Part, Now], Any]


def run(step: Step, parts: Sequence[Part], now_t: Sequence[Any], around: Surroundings) -> list[Any]:
    """Run `step(part, now)` for every part until no question is open; the results, part by part."""
    answers: list[list[Any]] = [[] for _ in parts]
    while True:
        results: list[Any] = []
        open_questions: list[tuple[int, _Unanswered]] = []
        for i, (part, t) in enumerate(zip(parts, now_t, strict=True)):
            try:
                results.append(step(part, _now(part, t, around, answers[i], alone=len(parts) == 1)))
            except _Unanswered as question:
                open_questions.append((i, question))
        if not open_questions:
            return results
        replies = _reply(parts, open_questions, around)
        for (i, _), reply in zip(open_questions, replies, strict=True):
            answers[i].append(reply)


def _now(part: Part, t: Any, around: Surroundings, answers: list[Any], alone: bool) -> Now:
    asked = iter(answers)
    noise_calls = iter(range(1 << 30))

    def ask(kind: str, x: Any) -> Any:
        known = next(asked, None)
        if known is not None:
            return known
        question = _Unanswered(kind, x)
        if alone:
            return _reply([part], [(0, question)], around)[0]
        raise question

    def noise(p: Any) -> Any:
        call = next(noise_calls)
        return Each.apply(p, lambda q, position: around.noise(q, position, call), p, Each(part.position))

    return Now(
        t=t,
        total=lambda x: ask("total", x),
        noise=noise,
        due=around.due,
        gradient=lambda p: ask("gradient", p),
    )


def _reply(parts: Sequence[Part], questions: Sequence[tuple[int, _Unanswered]], around: Surroundings) -> list[Any]:
    kinds = {question.kind for _, question in questions}
    if len(kinds) > 1:
        raise InputError("Rules of one model ask for a total and a gradient at the same moment; nest them alike.")
    if kinds == {"total"}:
        total = _sum([x for _, question in questions for x in question.x.items])
        return [total] * len(questions)
    if around.gradient is None:
        raise InputError(
            "This rule asks for a further gradient, which needs the model's loss: call optimizer.step(closure)."
        )
    points = [
        (position, x)
        for i, question in questions
        for position, x in zip(parts[i].position, question.x.items, strict=True)
    ]
    gradients = iter(around.gradient(points))
    return [type(q.x)([next(gradients) for _ in q.x.items]) for _, q in questions]


def _sum(tensors: Sequence[Any]) -> Tensor:
    total = torch.as_tensor(tensors[0]).sum()
    for x in tensors[1:]:
        total = total + torch.as_tensor(x).sum().to(total.device)
    return total

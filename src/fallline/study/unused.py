"""What is asked for and would go nowhere: refused, because a study without it is not the one that was meant."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fallline.errors import WrongArgument
from fallline.study.conditions import spelled_rule
from fallline.study.contenders import Contender
from fallline.training.treatments import TREATMENTS

PENALTIES = tuple(name for name, treatment in TREATMENTS.items() if treatment.penalty is not None)


def refuse_unused_rates(contenders: Sequence[Contender], varied: Collection[str]) -> None:
    """Raise InputError where learning rates are given for all optimizers, and none of them would take one."""
    if "lr" in varied:
        raise WrongArgument(("lrs", " gives learning rates, and so does vary: leave one of them out"))
    rated = [c for c in contenders if "lr" in c.hyperparameters]
    if contenders and not rated:
        raise WrongArgument(("lrs", f" goes nowhere: {_listed(contenders)} has no lr"))
    _refuse_owned("lrs", "lr", rated)


def refuse_unused_values(contenders: Sequence[Contender], varied: Mapping[str, Any]) -> None:
    """Raise InputError where every optimizer that has a varied hyperparameter is given its own values of it."""
    for name in varied:
        _refuse_owned("vary", name, [c for c in contenders if name in c.grid or f"l2.{name}" in c.grid])


def refuse_unused_penalise(penalise: Any, factors: Collection[str]) -> None:
    """Raise InputError where it is said which parameters are penalised, and no factor is a penalty."""
    if spelled_rule(penalise) != "weights" and not any(name in PENALTIES for name in factors):
        raise WrongArgument(
            (
                "penalise",
                f" says what the factors {', '.join(PENALTIES)} act on, and none of them is given (an optimizer's own "
                "weight_decay acts on all parameters)",
            )
        )


def _refuse_owned(argument: str, name: str, contenders: Sequence[Contender]) -> None:
    if contenders and all(name in c.own for c in contenders):
        raise WrongArgument(
            (argument, f" gives values of {name} that nobody would try: {_listed(contenders)} names its own")
        )


def _listed(contenders: Sequence[Contender]) -> str:
    return " and ".join(c.label for c in contenders)

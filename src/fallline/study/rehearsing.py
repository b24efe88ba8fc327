"""Everything tried once before a study is trained: rules, models, settings and a step of every optimizer."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fallline.errors import InputError, describe_failure
from fallline.plain import canonical
from fallline.problems import Prepared, rehearse
from fallline.problems.copied import copied
from fallline.problems.kept import Kept, digest
from fallline.proof import check
from fallline.randomness import forked
from fallline.rules import Rule
from fallline.study.algorithms import BUILT_IN
from fallline.study.contenders import Contender
from fallline.training import Member, recording
from fallline.training.gradient import KeyedGradient
from fallline.training.training import stepper


def prove(contenders: Sequence[Contender]) -> None:
    """Rules that are not fallline's own must run and be pure before they are compared."""
    for c in contenders:
        if not isinstance(c.algorithm, Rule) or c.kind in BUILT_IN.values():
            continue
        findings = check(c.algorithm).findings[:3]
        if broken := next((finding for finding in findings if not finding.passed), None):
            raise InputError(f"{c.label} cannot be compared. {broken.what}: {broken.detail}")


def rehearse_members(members: Sequence[Member], problems: Mapping[str, Prepared], seed: int) -> dict[str, list[str]]:
    """Try every model with every batch size, and one step of every optimizer with it; each setting is made.

    Returns the digests of each problem's initial models.
    """
    stages: dict[str, tuple[nn.Module, Any]] = {}
    spare: dict[str, nn.Module] = {}
    stepped, made = set(), set()
    digests: dict[str, list[str]] = {}
    for member in members:
        stage = canonical([member.problem, member.factors, member.batch_size])
        problem = problems[member.problem]
        if stage not in stages:
            stages[stage] = rehearse(problem, seed, member.factors, member.batch_size)
            spare[stage] = copied(stages[stage][0])
            initial = digest(Kept([stages[stage][0].state_dict()]))
            digests[member.problem] = [*digests.get(member.problem, []), initial]
            if member.diagnostics == "all":
                recording.rehearse(stages[stage][0], problem.objective.under(member.factors), problem)
        model, batch = stages[stage]
        setting = canonical([member.problem, member.factors, member.optimizer, member.hyperparameters])
        if setting not in made:
            made.add(setting)
            member.make_optimizer(spare[stage])
        if (stage, member.optimizer) not in stepped:
            stepped.add((stage, member.optimizer))
            _step_once(member, problem, copied(model), batch)
    return digests


def _step_once(member: Member, problem: Prepared, model: nn.Module, batch: Any) -> None:
    optimizer = member.make_optimizer(model)
    gradient = KeyedGradient(model, optimizer, problem.objective.under(member.factors), problem.device, seed=0)
    with forked(problem.device):
        try:
            stepper(optimizer)(gradient.closure(batch, 1))
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{member.optimizer} failed at its first step on {member.problem}: {describe_failure(error)}"
            ) from error

"""What worker processes are given of a study: one file, which each of them maps into its memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle
import torch

from fallline.errors import MachineError
from fallline.problems import Prepared
from fallline.problems.objective import Objective
from fallline.study.checkpoints import Checkpoints
from fallline.study.work import Work
from fallline.training import Budget, Member


@dataclass(frozen=True)
class Package:
    """A work without those who wait for it, and torch's settings that numbers depend on."""

    problems: Mapping[str, Prepared]
    budget: Budget
    seed: int
    cohorts: Sequence[Sequence[Member]]
    checkpoints: Checkpoints
    default_dtype: torch.dtype
    matmul_precision: str
    deterministic: bool


def pack(work: Work, path: Path) -> None:
    """Write what workers need of a work to a file; tensors that share memory are written once.

    Raises MachineError where it cannot be written.
    """
    package = Package(
        {name: _in_training(problem) for name, problem in work.problems.items()},
        work.budget,
        work.seed,
        work.cohorts,
        work.checkpoints,
        torch.get_default_dtype(),
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
    )
    try:
        with path.open("wb") as file:
            _save(package, file)
    except (OSError, RuntimeError) as error:
        raise MachineError(f"{path} could not be written: {error}.") from error


def unpack(path: Path) -> Package:
    """What is in a file, its tensors on the file's own pages; torch's settings become those of then."""
    package: Package = torch.load(path, mmap=True, weights_only=False)
    torch.set_default_dtype(package.default_dtype)
    torch.set_float32_matmul_precision(package.matmul_precision)
    torch.use_deterministic_algorithms(package.deterministic)
    return package


def unpackable(problems: Mapping[str, Prepared], members: Sequence[Member]) -> str | None:
    """Why worker processes cannot be given these members: what cannot be pickled, and whose it is. None if they can."""
    for whose, what in _parts(problems, members):
        try:
            _save(what, _Nowhere())
        except Exception as error:
            told = " ".join(str(error).split())
            return (
                f"The runner processes hands {whose} to other processes, and it cannot be pickled: "
                f"{type(error).__name__}: {told}. Use the runner loop, or make it of what can be pickled."
            )
    return None


def _parts(problems: Mapping[str, Prepared], members: Sequence[Member]) -> Iterator[tuple[str, Any]]:
    for name, prepared in problems.items():
        problem = prepared.problem
        yield f"the model of {name}", problem.model
        yield f"the loss of {name}", problem.loss
        yield from ((f"the metric {metric} of {name}", function) for metric, function in problem.metrics.items())
        yield f"the data of {name}", (prepared.train, prepared.evaluated)
    for member in {member.optimizer: member for member in members}.values():
        yield member.optimizer, (member.algorithm, member.hyperparameters)
    for member in {str(member.schedule): member for member in members}.values():
        yield f"the schedule {member.schedule}", member.schedule
    yield "the rule of what is penalised", [member.penalised for member in members[:1]]


def _in_training(prepared: Prepared) -> Prepared:
    """A problem without the data that it was made from: training needs what was prepared of them alone."""
    problem = replace(prepared.problem, train=None, validation=None, test=None)
    return replace(prepared, problem=problem, objective=Objective(problem, prepared.device))


def _save(what: Any, file: Any) -> None:
    torch.save(what, file, pickle_module=cloudpickle, pickle_protocol=cloudpickle.DEFAULT_PROTOCOL)


class _Nowhere:
    def write(self, content: bytes) -> int:
        return len(content)

    def flush(self) -> None:
        pass

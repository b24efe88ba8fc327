"""What is taken where nothing is asked for: optimizers, and the batch size and length that problems bring."""

from collections.abc import Iterable, Sequence

from fallline.errors import WrongArgument
from fallline.problems import Prepared, Problem
from fallline.training.cohort import DEFAULT_EPOCHS

CLASSICAL = ("sgd", "momentum", "adagrad", "rmsprop", "adadelta", "adam")
DEFAULT_BATCH_SIZE = 64


def default_batch_size(problems: Iterable[Prepared]) -> int | None:
    """The batch size of problems, at most the rows that there are; None where DataLoaders decide.

    Raises InputError where the problems bring different ones.
    """
    sized = [(p.problem, p.train.rows) for p in problems if p.train.rows is not None]
    if not sized:
        return None
    own = _agreed("batch_sizes", [(p.name, p.batch_size or DEFAULT_BATCH_SIZE) for p, _ in sized])
    return min(own, *(rows for _, rows in sized))


def default_epochs(problems: Iterable[Problem]) -> int:
    """The epochs of a training on problems. Raises InputError where they bring different ones.

    >>> from fallline.problems import load
    >>> default_epochs([load("cubic"), load("linear")]), default_epochs([load("quadratic-deep")])
    (10, 100)
    """
    return _agreed("epochs", [(p.name, p.epochs or DEFAULT_EPOCHS) for p in problems])


def _agreed(argument: str, brought: Sequence[tuple[str, int]]) -> int:
    if len({number for _, number in brought}) > 1:
        told = ", ".join(f"{name} brings {number}" for name, number in brought)
        raise WrongArgument((argument, f" must be given, one for all problems: {told}"))
    return brought[0][1]

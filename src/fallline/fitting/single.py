"""One optimizer with one value of each hyperparameter."""

from typing import Any

from fallline.errors import InputError
from fallline.study import Contender, contender


def single(optimizer: Any) -> Contender:
    """The contender of text (`adam:lr=0.01`), a rule, or a class of rules or torch optimizers, which stand for their
    defaults. Raises InputError for several values.

    >>> single("adam:lr=0.1").grid
    {'lr': (0.1,)}
    """
    found = contender(optimizer, tune=False)
    several = [f"{name} {len(values)}" for name, values in found.grid.items() if len(values) > 1]
    if several:
        raise InputError(
            f"One training needs one value of each hyperparameter; {optimizer!r} gives {' and '.join(several)}. "
            "`fallline compare` tries several."
        )
    return found

"""Training and evaluation mode."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Afterwards the model and each of its layers are in the mode that they were in.

    >>> layers = nn.Sequential(nn.Linear(1, 1), nn.Dropout().eval())
    >>> with modes_kept(layers):
    ...     _ = layers.eval()
    >>> layers.training, layers[1].training
    (True, False)
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training

"""BatchNorm's running statistics: measured anew for other weights, and unmoved by a pass at other weights."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.module import register_module_forward_pre_hook

from fallline.modes import modes_kept
from fallline.randomness import forked

# That a model which is compiled meets the hook of `statistics_unmoved` itself is what is wanted.
warnings.filterwarnings("ignore", message="Using `torch.compile\\(module\\)` when there are global hooks")


def measure_statistics(model: nn.Module, forward: Callable[[], object]) -> None:
    """Set the running statistics of every BatchNorm layer to their plain average over the batches that `forward` runs
    the model on, in training mode and without gradients, as torch.optim.swa_utils.update_bn does.

    A model without such layers is not run. The modes of all modules and the global generators are put back.
    """
    layers = _layers(model)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    device = next((buffer.device for buffer in layers[0].buffers()), torch.device("cpu"))
    with modes_kept(model):
        try:
            for layer in layers:
                layer.reset_running_stats()
                layer.momentum = None
            model.train()
            with torch.no_grad(), forked(device):
                forward()
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum


@contextmanager
def statistics_kept(model: nn.Module) -> Iterator[None]:
    """Put the running statistics of all BatchNorm layers back at the end, bit for bit."""
    kept = [(buffer, buffer.clone()) for layer in _layers(model) for buffer in layer.buffers(recurse=False)]
    try:
        yield
    finally:
        for buffer, value in kept:
            buffer.copy_(value)


@contextmanager
def statistics_unmoved() -> Iterator[None]:
    """Put the running statistics of every normalisation layer that is trained inside back at the end, bit for bit,
    whichever model it is of.

    Layers are met as this thread calls them: what runs beside it in another thread is left alone.
    """
    met: dict[nn.Module, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    thread = threading.get_ident()

    def keep(module: nn.Module, inputs: Any) -> None:
        if module in met or threading.get_ident() != thread:
            return
        # All of a model when it is called itself: what is compiled calls its layers unseen.
        for layer in module.modules():
            moving = layer.buffers(recurse=False) if isinstance(layer, _NormBase) and layer.training else ()
            met.setdefault(layer, [(buffer, buffer.clone()) for buffer in moving])

    watching = register_module_forward_pre_hook(keep)
    try:
        yield
    finally:
        watching.remove()
        with torch.no_grad():
            for buffer, value in (pair for pairs in met.values() for pair in pairs):
                buffer.copy_(value)


def _layers(model: nn.Module) -> list[_BatchNorm]:
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]

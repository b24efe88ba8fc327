"""Layers that torch computes by kernels which cannot be mapped, computed by the operations they consist of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode


@contextmanager
def mappable() -> Iterator[None]:
    """Inside, attention, recurrent layers and weight normalisation consist of operations that `torch.vmap` knows."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), _Stepwise():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


class _Stepwise(TorchFunctionMode):
    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        steps = _steps().get(function)
        if steps is None:
            return function(*args, **(kwargs or {}))
        # torch's account of an LSTM in float32 would be oneDNN's kernel, which cannot be mapped.
        before = torch._C._get_mkldnn_enabled()
        torch._C._set_mkldnn_enabled(False)
        try:
            return steps(*args, **(kwargs or {}))
        finally:
            torch._C._set_mkldnn_enabled(before)


@cache
def _steps() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Functions that cannot be mapped, and torch's own account of each: of recurrent layers as a loop over time, of
    their cells as layers that take one step.
    """
    aten: Any = torch.ops.aten
    known: dict[Callable[..., Any], Any] = {
        torch.lstm: aten.lstm.input,
        torch.gru: aten.gru.input,
        torch.rnn_tanh: aten.rnn_tanh.input,
        torch.rnn_relu: aten.rnn_relu.input,
        torch._weight_norm: aten._weight_norm_interface.default,
    }
    found = torch._decomp.get_decompositions(list(known.values()))
    steps = {function: found[operation] for function, operation in known.items()}
    # Beside the weight it gives its norm.
    steps[torch._weight_norm] = _first_of(steps[torch._weight_norm])
    return steps | {
        torch.lstm_cell: partial(_lstm_cell, steps[torch.lstm]),
        torch.gru_cell: partial(_cell, steps[torch.gru]),
        torch.rnn_tanh_cell: partial(_cell, steps[torch.rnn_tanh]),
        torch.rnn_relu_cell: partial(_cell, steps[torch.rnn_relu]),
    }


def _first_of(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *inputs: function(*inputs)[0]


def _cell(layer: Callable[..., Any], x: Tensor, hidden: Tensor, *weights: Tensor | None) -> Tensor:
    return _one_step(layer, x, hidden.unsqueeze(0), weights)[0].squeeze(0)  # type: ignore[no-any-return]


def _lstm_cell(layer: Callable[..., Any], x: Tensor, hidden: Sequence[Tensor], *weights: Tensor | None) -> Any:
    states = _one_step(layer, x, [state.unsqueeze(0) for state in hidden], weights)[1:]
    return tuple(state.squeeze(0) for state in states)


def _one_step(layer: Callable[..., Any], x: Tensor, hidden: Any, weights: Sequence[Tensor | None]) -> Any:
    given = [weight for weight in weights if weight is not None]
    biased = len(given) == 4
    return layer(x.unsqueeze(0), hidden, given, biased, 1, 0.0, False, False, False)

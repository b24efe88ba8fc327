"""Dropout whose masks are an input: drawn by key, thresholded by the rate."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_CHANNELS = {functional.dropout1d: 1, functional.dropout2d: 2, functional.dropout3d: 3}
"""Dropout of whole channels -> how many axes a channel has."""


class KeyedDropout(TorchFunctionMode):
    """Inside, every call of dropout asks `draw(shape, call, device)` for uniform numbers in [0, 1), and keeps x where
    they are at least the rate: kept values are divided by 1 - rate (Srivastava et al., 2014, jmlr.org/papers/v15).

    Attention that drops weights is computed step by step, its weights dropped in the same way.

    So of two trainings with different rates one drops all that the other does, and masks do not depend on how a
    training is run: under `torch.vmap` all members share the numbers.
    """

    def __init__(self, draw: Callable[[torch.Size, int, torch.device], Tensor]) -> None:
        super().__init__()
        self._draw = draw
        self._calls = 0

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function is functional.dropout or function in _CHANNELS:
            return self._dropout(function, *args, **(kwargs or {}))
        if function is functional.scaled_dot_product_attention:
            return self._attention(*args, **(kwargs or {}))
        if function is functional.multi_head_attention_forward:
            # It calls the two by their names, and this mode does not see what is called inside a function it handles.
            with mock.patch.multiple(
                functional,
                dropout=partial(self._dropout, functional.dropout),
                scaled_dot_product_attention=self._attention,
            ):
                return function(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    @property
    def used(self) -> bool:
        """Whether dropout has been called inside."""
        return self._calls > 0

    def _dropout(
        self, function: Callable[..., Any], x: Tensor, p: Any = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if not training:
            return x
        self._calls += 1
        # torch takes three axes for (rows, channels, length) in dropout2d.
        axes = 1 if function is functional.dropout2d and x.dim() == 3 else _CHANNELS.get(function, 0)
        shape = torch.Size([*x.shape[: x.dim() - axes], *[1] * axes])
        kept = self._draw(shape, self._calls, x.device) >= p
        dropped = x * (kept.to(x.dtype) * (1 / (1 - p) if p < 1 else 0.0))
        return x.copy_(dropped) if inplace else dropped

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if dropout_p == 0 or enable_gqa:
            return _ATTENTION(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
        scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
        if is_causal:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
        return self._dropout(functional.dropout, scores.softmax(dim=-1), dropout_p) @ value


_ATTENTION = functional.scaled_dot_product_attention


def has_dropout(model: nn.Module) -> bool:
    """Whether a model holds a module of dropout that is active at a rate above 0."""
    return any(isinstance(m, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d) and m.p for m in model.modules())

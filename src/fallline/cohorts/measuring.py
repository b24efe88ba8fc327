"""Losses and metrics of all members on a source of data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from fallline.cohorts.lent import with_tensors
from fallline.cohorts.memory import most_bytes
from fallline.problems.kept import Evaluated
from fallline.problems.objective import Objective, rows

AT_ONCE = 32 * 1024**2
"""Bytes of intermediate results that an evaluation may hold; more of them are slower, as memory is asked for anew."""


class Measuring:
    """Measures members in evaluation mode, so many at a time that memory is bounded."""

    def __init__(self, model: nn.Module, objective: Objective, seeds: int) -> None:
        self._model = model
        self._objective = objective
        self._seeds = seeds
        self._sizes: dict[Any, int] = {}

    @torch.no_grad()
    def __call__(self, tensors: Mapping[str, Tensor], data: Evaluated) -> dict[str, Tensor]:
        """Each quantity, (settings, seeds) in float64 on the CPU, weighted by the rows of each batch."""
        modes = {module: module.training for module in self._model.modules()}
        self._model.eval()
        try:
            totals: list[Tensor] | None = None
            count = 0
            for batch in data.in_order():
                size = rows(batch)
                values = [value.double() * size for value in self._of_batch(tensors, batch)]
                totals = values if totals is None else [a + b for a, b in zip(totals, values, strict=True)]
                count += size
        finally:
            for module, training in modes.items():
                module.training = training
        assert totals is not None
        return {name: total.cpu() / count for name, total in zip(self._objective.names, totals, strict=True)}

    def _of_batch(self, tensors: Mapping[str, Tensor], batch: Any) -> Sequence[Tensor]:
        settings = len(next(iter(tensors.values())))
        key = rows(batch)
        if key not in self._sizes:
            self._sizes[key] = _settings_at_once(lambda own, batch: self._measured(own, batch), tensors, batch)
        parts = [
            self._measured({name: x[start : start + self._sizes[key]] for name, x in tensors.items()}, batch)
            for start in range(0, settings, self._sizes[key])
        ]
        return [torch.cat(column) for column in zip(*parts, strict=True)]

    def _measured(self, tensors: Mapping[str, Tensor], batch: Any) -> list[Tensor]:
        def measured(own: Mapping[str, Tensor]) -> list[Tensor]:
            found = with_tensors(self._model, own, lambda model: self._objective.measure(model, batch))
            return [torch.as_tensor(value).reshape(()) for value in found]

        # All members see the same rows here, so settings and seeds are one axis.
        values = torch.vmap(measured)({name: x.flatten(0, 1) for name, x in tensors.items()})
        return [value.view(-1, self._seeds) for value in values]


def _settings_at_once(
    measured: Callable[[Mapping[str, Tensor], Any], Any], tensors: Mapping[str, Tensor], batch: Any
) -> int:
    """How many settings may be measured together, from the memory that one of them needs."""
    graph = make_fx(measured, tracing_mode="fake")({name: x[:1] for name, x in tensors.items()}, batch)
    return max(1, AT_ONCE // max(most_bytes(graph), 1))

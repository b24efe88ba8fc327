"""Losses and metrics of all members on a source of data."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from fallline.cohorts.capture import captured, same_formula
from fallline.cohorts.lent import held, with_tensors
from fallline.cohorts.memory import most_bytes
from fallline.cohorts.outside import nothing_outside
from fallline.cohorts.put_back import put_back
from fallline.cohorts.reasons import CannotMap
from fallline.modes import modes_kept
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
        with put_back(self._model, *self._objective.functions.values()), modes_kept(self._model):
            self._model.eval()
            totals: list[Tensor] | None = None
            count = 0
            for batch in data.in_order():
                size = rows(batch)
                values = [value.double() * size for value in self._of_batch(tensors, batch)]
                totals = values if totals is None else [a + b for a, b in zip(totals, values, strict=True)]
                count += size
        assert totals is not None
        return {name: total.cpu() / count for name, total in zip(self._objective.names, totals, strict=True)}

    def _of_batch(self, tensors: Mapping[str, Tensor], batch: Any) -> Sequence[Tensor]:
        # All members see the same rows here, so settings and seeds are one axis.
        flat = {name: x.flatten(0, 1) for name, x in tensors.items()}
        members = len(next(iter(flat.values())))
        key = tuple(x.shape for x in tree_leaves(batch) if isinstance(x, Tensor))
        if key not in self._sizes:
            self._sizes[key] = self._members_at_once(flat, batch)
        parts = [
            self._measured({name: x[start : start + self._sizes[key]] for name, x in flat.items()}, batch)
            for start in range(0, members, self._sizes[key])
        ]
        return [torch.cat(column).view(-1, self._seeds) for column in zip(*parts, strict=True)]

    def _members_at_once(self, flat: Mapping[str, Tensor], batch: Any) -> int:
        """How many members may be measured together, from the memory that one of them needs; whole settings, if they
        fit.
        """
        one = {name: x[:1] for name, x in flat.items()}
        capture = captured(lambda own, batch: self._measured(own, batch))
        functions = self._objective.functions
        with put_back(self._model, *functions.values()), nothing_outside(self._model, functions) as assigned:
            graph, again = capture(one, batch), capture(one, batch)
        if not same_formula(graph, again):
            kept = assigned[0] if assigned else "something"
            raise CannotMap(f"it, its loss or a metric keeps {kept} from one evaluation to the next")
        fitting = max(1, AT_ONCE // max(most_bytes(graph), 1))
        return max(fitting // self._seeds * self._seeds, min(fitting, self._seeds))

    def _measured(self, tensors: Mapping[str, Tensor], batch: Any) -> list[Tensor]:
        def quantities(model: nn.Module, own: Mapping[str, Tensor]) -> list[Any]:
            values = self._objective.measure(model, batch)
            if assigned := [name for name, x in own.items() if held(model, name) is not x]:
                raise CannotMap(f"it assigns {assigned[0]} anew when it is evaluated")
            return values

        def measured(own: Mapping[str, Tensor]) -> list[Tensor]:
            found = with_tensors(self._model, own, lambda model: quantities(model, own))
            return [torch.as_tensor(value).reshape(()) for value in found]

        found: list[Tensor] = torch.vmap(measured)(dict(tensors))
        return found

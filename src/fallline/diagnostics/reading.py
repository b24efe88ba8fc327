"""What activation functions gave during one run of a model forward."""

from dataclasses import dataclass

from torch import Tensor

from fallline.diagnostics.dead_units import dead_units, in_every_row
from fallline.diagnostics.saturation import saturated


@dataclass(frozen=True)
class Activation:
    """A kind of activation function: a rectifier, whose units can die, or one with a range, which can saturate."""

    name: str
    range: tuple[float, float] | None = None


class Reading:
    """What one activation gave; calls that follow the same layer of a recurrent model are taken together."""

    def __init__(self, kind: Activation, output: Tensor, axis: int) -> None:
        self.kind = kind
        self.followed = False
        self._outputs = 0
        self._saturated: Tensor | float = 0.0
        self._units: Tensor | None = None
        self.add(output, axis)

    def add(self, output: Tensor, axis: int) -> None:
        """Take a further call into account."""
        self._outputs += output.numel()
        if self.kind.range is None:
            units = dead_units(output, axis)
        else:
            mask = saturated(output, *self.kind.range)
            units = in_every_row(mask, axis)
            self._saturated = self._saturated + mask.sum()
        self._units = units if self._units is None else self._units & units

    def values(self) -> dict[str, float]:
        """The quantities by name: units, rows, and dead or saturated units and their fraction."""
        assert self._units is not None
        units, count = len(self._units), float(self._units.sum())
        found = {"units": float(units), "rows": self._outputs / units}
        if self.kind.range is None:
            return {**found, "dead_units": count, "dead_fraction": count / units}
        return {**found, "saturated_units": count, "saturated_fraction": float(self._saturated) / self._outputs}

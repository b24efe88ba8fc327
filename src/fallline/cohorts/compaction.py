"""When settings that have ended leave a population, and what is left of its tensors then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fallline.cohorts.program import Program, Tensors
from fallline.cohorts.slices import Slice

_MARGIN = 2.0
"""How many times what is spent must be saved, since both are reckoned roughly."""


@dataclass(frozen=True)
class Costs:
    """The seconds that one setting adds to a step, and those that it takes to make the program of a step anew.

    Whether it repays to go on without settings that have ended is reckoned from these, which the plan keeps, and
    never from a running clock: the same plan trains in the same way, to the bit.

    >>> Costs(setting=1e-3, preparing=1.0).repays(settings=64, left=16, steps=100)
    True
    >>> Costs(setting=1e-3, preparing=1.0).repays(settings=64, left=33, steps=100)
    False
    """

    setting: float
    preparing: float

    def repays(self, settings: int, left: int, steps: int) -> bool:
        """Whether it repays to go on with those that are left of so many settings, where these steps are to come."""
        saved = (settings - left) * self.setting * steps
        return 0 < 2 * left <= settings and saved > _MARGIN * self.preparing


@dataclass(frozen=True)
class Chosen:
    """Some settings of a program, given by their places: those of each slice that has any, by the slice's number."""

    settings: Sequence[int]
    slices: Mapping[int, Sequence[int]]

    @classmethod
    def of(cls, program: Program, settings: Sequence[int]) -> "Chosen":
        """The settings at these places, in ascending order."""
        own = [[at - place.start for at in settings if place.start <= at < place.stop] for place in program.places]
        return cls(settings, {number: chosen for number, chosen in enumerate(own) if chosen})

    def program(self, whole: Program) -> Program:
        """The program of these settings; the weights lie as they did."""
        slices: list[Slice] = [whole.slices[number].only(chosen) for number, chosen in self.slices.items()]
        return Program(whole.model, whole.objective, whole.layout, slices, whole.seeds)

    def tensors(self, whole: Tensors) -> Tensors:
        """Copies of what these settings have."""
        return Tensors(
            weights=[x[self.settings] for x in whole.weights],
            still={name: x[self.settings] for name, x in whole.still.items()},
            state=self.by_slice(whole.state),
            values=self.by_slice(whole.values),
            t=whole.t,
        )

    def by_slice(self, tensors: Sequence[Sequence[Mapping[str, Tensor]]]) -> list[list[dict[str, Any]]]:
        """Copies of what they have of tensors that are kept slice by slice."""
        return [
            [{name: x[chosen] for name, x in own.items()} for own in tensors[number]]
            for number, chosen in self.slices.items()
        ]

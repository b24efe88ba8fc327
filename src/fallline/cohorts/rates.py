"""Learning rates that schedules move, for all members of a population at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fallline.cohorts.one import One
from fallline.schedules import Constant, Schedule


class Rates:
    """The multipliers of all members' learning rates, step by step, reckoned anew behind every evaluation."""

    def __init__(self, ones: Sequence[One], shape: tuple[int, int], total: int) -> None:
        self._moving = [one for one in ones if one.member.schedule != Constant()]
        self._total = total
        self._table: Tensor | None = None
        self._first = 0
        self._shape = shape

    def look(self, done: int, until: int) -> None:
        """Reckon the steps behind `done` up to `until`, at which the next evaluation comes."""
        if not self._moving:
            return
        self._first = done
        self._table = torch.ones((until - done, *self._shape), dtype=torch.float64)
        known: dict[Schedule, Tensor] = {}
        for one in self._moving:
            schedule = one.member.schedule
            if schedule.looks_at_losses or schedule not in known:
                seen = list(zip(map(int, one.curve["step"]), one.curve[one.curve.deciding], strict=True))
                steps = range(done, until)
                multipliers = [schedule(step, self._total, seen) for step in steps]
                known[schedule] = torch.tensor(multipliers, dtype=torch.float64)
            self._table[:, one.setting, one.seed] = known[schedule]

    def at(self, done: int) -> Tensor | None:
        """The multipliers of the step behind `done`, (settings, seeds); None where no rate moves."""
        return None if self._table is None else self._table[done - self._first]

"""What every side of the studies measures, and how: standard library alone, as JAX's environment has no torch."""

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Measured:
    """Seconds on the wall, and of all cores together: the second says more where others use the machine."""

    seconds: float
    cpu_seconds: float


def measured(work: Callable[[], Any]) -> tuple[Any, Measured]:
    """What the work gives back, and what it took."""
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Measured(time.perf_counter() - began, time.process_time() - cpu)


def middle(several: Sequence[Measured]) -> Measured:
    """The medians."""
    return Measured(median(one.seconds for one in several), median(one.cpu_seconds for one in several))


def row(steps: int, members: int, seconds: float, **more: Any) -> dict[str, Any]:
    """One line of results: what so many members took together for so many steps each, the most memory that the process
    has held until now, and what else is known.
    """
    return {"steps": steps, "members": members, "seconds": seconds, "peak_bytes": _peak_bytes(), **more}


def _peak_bytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0

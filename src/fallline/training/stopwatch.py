"""What a step takes by itself, however busy the machine is."""

import time
from collections.abc import Callable

import torch

_TIMED = 5


def seconds_of(step: Callable[[], object], device: torch.device) -> float:
    """The least seconds of a few calls; where torch works with one thread on the CPU, of its processor time alone, in
    which other programs have no part.

    >>> seconds_of(lambda: time.sleep(0.01), torch.device("cpu")) < 0.1
    True
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    times = []
    for _ in range(_TIMED):
        began = clock()
        step()
        times.append(clock() - began)
    return min(times)

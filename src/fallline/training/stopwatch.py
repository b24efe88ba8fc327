"""What a step takes by itself, however busy the machine is."""

import time
from collections.abc import Callable

import torch

_TIMED = 5
_LONG = 0.5


def seconds_of(step: Callable[[], object], device: torch.device) -> float:
    """The least seconds of a few calls; where torch works with one thread on the CPU, of its processor time alone, in
    which other programs have no part.

    >>> seconds_of(lambda: time.sleep(0.01), torch.device("cpu")) < 0.1
    True
    """
    return min(_timed(step, device) for _ in range(_TIMED))


def seconds_of_evaluation(evaluate: Callable[[], object], device: torch.device) -> float:
    """The seconds of a call that may take long; of a second one where the first was short, since that may have prepared
    something.
    """
    first = _timed(evaluate, device)
    return first if first > _LONG else min(first, _timed(evaluate, device))


def _timed(call: Callable[[], object], device: torch.device) -> float:
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    _wait(device)
    began = clock()
    call()
    _wait(device)
    return clock() - began


def _wait(device: torch.device) -> None:
    """Until what was asked of a GPU is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

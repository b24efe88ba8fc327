"""What a step takes is not what the machine does meanwhile."""

import time

import pytest
import torch

from fallline.study.loop import threads
from fallline.training.stopwatch import seconds_of

WAIT = 0.02


@pytest.mark.parametrize("count", [1, 2])
def test_waiting_for_others_counts_only_where_threads_share_the_work(count):
    with threads(count):
        found = seconds_of(lambda: time.sleep(WAIT), torch.device("cpu"))
    assert (found >= WAIT) == (count > 1)


def test_the_least_of_a_few_calls_counts():
    waits = iter([4 * WAIT, WAIT, 4 * WAIT, 4 * WAIT, 4 * WAIT])
    with threads(2):
        found = seconds_of(lambda: time.sleep(next(waits)), torch.device("cpu"))
    assert WAIT <= found < 4 * WAIT

"""A worker process: it trains the cohorts that it is told to, on one thread, and says how it gets on."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import cloudpickle
import torch

from fallline.imports import import_file
from fallline.study.packing import Package, unpack
from fallline.training import Curve, Origin, Outcome, train_cohort

EVERY = 0.2
"""Seconds between two words about progress at least."""


@dataclass(frozen=True)
class Ready:
    """The worker waits for a cohort."""


@dataclass(frozen=True)
class Progress:
    """How many updates each member of the cohort has had."""

    done: int


@dataclass(frozen=True)
class Said:
    """Something the user should know."""

    message: str


@dataclass(frozen=True)
class Ended:
    """A cohort has ended: of each member curve, outcome, weights, seconds and origin."""

    members: Sequence[tuple[Curve, Outcome, dict[str, torch.Tensor], float, Origin]]


@dataclass(frozen=True)
class Failed:
    """The worker met an error, and where."""

    error: BaseException
    trace: str


def serve(connection: "Connection[Any, Any]", package: str, files: Sequence[str]) -> None:
    """The life of a worker: it gets the numbers of cohorts of a package, and ends with whoever sends them."""
    _leave_signals_to_the_parent()
    tell = _teller(connection)
    numbers: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_listen, args=(connection, numbers), daemon=True).start()
    try:
        torch.set_num_threads(1)
        for file in files:
            import_file(Path(file))
        work = unpack(Path(package))
        while True:
            tell(Ready())
            tell(_train(work, numbers.get(), tell))
    except BaseException as error:
        tell(Failed(_sendable(error), traceback.format_exc()))


def _train(work: Package, number: int, tell: Callable[[Any], None]) -> Ended:
    cohort = work.cohorts[number]
    said = time.monotonic()

    def tick(done: int) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY:
            said = time.monotonic()
            tell(Progress(done))

    kept = work.checkpoints.of(cohort, lambda message: tell(Said(message)))
    trained = train_cohort(cohort, work.problems[cohort[0].problem], work.budget, work.seed, tick, kept)
    return Ended([(one.curve, one.outcome, one.weights, one.seconds, one.origin) for one in trained])


def _listen(connection: "Connection[Any, Any]", numbers: "SimpleQueue[int]") -> None:
    """Hand on what the parent says. When it is gone, however it went, nobody waits for what this process does."""
    while True:
        try:
            numbers.put(cloudpickle.loads(connection.recv_bytes()))
        except (EOFError, OSError):
            os._exit(1)


def _teller(connection: "Connection[Any, Any]") -> Callable[[Any], None]:
    def tell(message: Any) -> None:
        try:
            connection.send_bytes(cloudpickle.dumps(message))
        except OSError:
            os._exit(1)

    return tell


def _leave_signals_to_the_parent() -> None:
    """Ctrl-C and what ends a group of processes reach workers too; it is the parent that ends them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))


def _sendable(error: BaseException) -> BaseException:
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error

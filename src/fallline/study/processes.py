"""The runner `processes`: cohorts one after another in each of several worker processes, one thread each."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import cloudpickle
from loky.backend import get_context

from fallline.errors import MachineError
from fallline.imports import imported_files
from fallline.study.packing import pack
from fallline.study.work import Work, told
from fallline.study.worker import Ended, Failed, Progress, Ready, Said, serve
from fallline.training import Member, Trained


def processes(work: Work) -> Generator[Sequence[Trained], None, None]:
    """Train the cohorts of a work in as many processes as it has threads, none of which outlives this one."""
    with _workers(work) as workers:
        waiting = deque(range(len(work.cohorts)))
        while waiting or any(worker.cohort for worker in workers):
            for worker in _speaking(workers):
                match worker.listen():
                    case Ready() if waiting:
                        number = waiting.popleft()
                        worker.train(number, work.cohorts[number], work.ticks(work.cohorts[number]))
                    case Progress(done):
                        worker.tick(done)
                    case Said(message):
                        work.watcher.say(message)
                    case Ended(members):
                        cohort, worker.cohort = worker.cohort, ()
                        yield [Trained(member, *left) for member, left in zip(cohort, members, strict=True)]
                    case Failed(error, trace):
                        if worker.cohort:
                            error.add_note(f"This came up while training {told(worker.cohort)}.")
                        raise error from _InWorker(trace)


_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""What ends a process at once; Windows knows one way."""


class _InWorker(Exception):
    """Where in a worker process an error came up."""

    def __str__(self) -> str:
        return f"in a worker process:\n{self.args[0]}"


class _Worker:
    def __init__(self, package: Path) -> None:
        context = get_context("loky")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, str(package), imported_files()))
        self.process.start()
        theirs.close()
        self.cohort: Sequence[Member] = ()
        self.tick: Callable[[int], None] = lambda done: None

    def train(self, number: int, cohort: Sequence[Member], tick: Callable[[int], None]) -> None:
        self.cohort, self.tick = cohort, tick
        self.connection.send_bytes(cloudpickle.dumps(number))

    def listen(self) -> Any:
        with suppress(EOFError, OSError):
            if self.connection.poll():
                return cloudpickle.loads(self.connection.recv_bytes())
        self.process.join(1)
        doing = f" while it trained {told(self.cohort)}" if self.cohort else ""
        raise MachineError(
            f"A worker process was ended from outside ({_ending(self.process.exitcode)}){doing}. "
            "Where memory ran out, fewer of them (--threads) need less."
        )

    def end(self) -> None:
        if self.process.exitcode is None and self.process.pid is not None:
            os.kill(self.process.pid, _KILL)
        self.process.join()
        self.connection.close()


def _speaking(workers: Sequence[_Worker]) -> list[_Worker]:
    """Those that have said something, or have ended; waits until there is one."""
    ready = wait([thing for worker in workers for thing in (worker.connection, worker.process.sentinel)])
    return [worker for worker in workers if worker.connection in ready or worker.process.sentinel in ready]


@contextmanager
def _workers(work: Work) -> Iterator[list[_Worker]]:
    # The name is one that is swept up when a folder is opened to write.
    package = work.checkpoints.folder.with_name(f".workers.{time.monotonic_ns()}.partial")
    workers: list[_Worker] = []
    try:
        if work.cohorts:
            pack(work, package)
        with _signals_held():
            workers.extend(_Worker(package) for _ in range(min(work.threads, len(work.cohorts))))
        yield workers
    finally:
        for worker in workers:
            worker.end()
        package.unlink(missing_ok=True)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Signals wait; processes that start inside hear none until they say so."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(code: int | None) -> str:
    if code is None:
        return "it no longer answers"
    return f"signal {-code}" if code < 0 else f"exit code {code}"

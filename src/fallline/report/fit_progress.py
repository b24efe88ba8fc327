"""How a fit gets on while it runs, on standard error."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from fallline.fitting import FitWatcher
from fallline.report.words import counted, number, quantity_text, value_text

EVERY = 5.0
"""Seconds between two plain lines at least."""


def default_fit_watcher() -> FitWatcher:
    """A bar where standard error is a terminal, else plain lines, one every few seconds at most."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return FitBar(console)
    return FitLines(sys.stderr)


class Pace:
    """Where a fit is: epoch, what was last measured, and steps per second since it began or went on."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.steps = self.steps_per_epoch = 1
        self.before = self.done = 0
        self.began = clock()
        self.measured = ""

    def begin(self, steps: int, steps_per_epoch: int, done: int) -> None:
        """The training begins, or goes on."""
        self.steps, self.steps_per_epoch = steps, steps_per_epoch
        self.before = self.done = done
        self.began = self.clock()

    def evaluated(self, row: Mapping[str, float], rate: float | None) -> None:
        """An evaluation: training loss, and loss and metrics of what is held out, or else of the training rows."""
        held_out = [name for name in row if name.startswith("validation_")]
        shown = ["train_loss", *(held_out or [n for n in row if n.startswith("train_") and n != "train_loss"])]
        told = [f"{quantity_text(name)} {number(row[name])}" for name in shown]
        self.measured = ", ".join(told) + ("" if rate is None else f", lr {value_text(rate)}")

    @property
    def opening(self) -> str:
        """What there is to do."""
        left = counted(self.steps - self.before, "step")
        return f"Training {left}" + (f"; {self.before:,} were done before." if self.before else ".")

    @property
    def epoch(self) -> str:
        """The epoch, of how many."""
        epochs = -(-self.steps // self.steps_per_epoch)
        return f"epoch {min(self.done // self.steps_per_epoch + 1, epochs)}/{epochs}"

    @property
    def speed(self) -> str:
        """Steps per second, evaluations included."""
        gone = self.clock() - self.began
        return f"{(self.done - self.before) / gone:,.0f} steps/s" if gone > 0 and self.done > self.before else ""

    @property
    def line(self) -> str:
        """All of it in one line."""
        return ", ".join(filter(None, [self.epoch, self.measured, self.speed]))


class FitLines:
    """Plain lines: at the beginning, and every few seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, every: float = EVERY) -> None:
        self.stream = stream
        self.every = every
        self.pace = Pace(clock)
        self.said = clock()

    def begin(self, steps: int, steps_per_epoch: int, done: int) -> None:
        """Say what there is to do."""
        self.pace.begin(steps, steps_per_epoch, done)
        self.said = self.pace.clock()
        self.say(self.pace.opening)

    def advance(self, done: int) -> None:
        """Say how far it is, if the last line was long enough ago."""
        self.pace.done = done
        now = self.pace.clock()
        if now - self.said >= self.every:
            self.said = now
            self.say(self.pace.line)

    def evaluated(self, row: Mapping[str, float], rate: float | None) -> None:
        """Note what was measured."""
        self.pace.evaluated(row, rate)

    def say(self, message: str) -> None:
        """Write a line."""
        print(message, file=self.stream, flush=True)

    def close(self) -> None:
        """Nothing: the summary says how it ended."""


class FitBar:
    """A bar, and beneath it the epoch, what was measured, and the speed."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.pace = Pace(time.monotonic)
        self.progress: Progress | None = None
        self.task = TaskID(0)

    def begin(self, steps: int, steps_per_epoch: int, done: int) -> None:
        """Draw the bar."""
        self.pace.begin(steps, steps_per_epoch, done)
        self.say(self.pace.opening)
        self.progress = Progress(
            TextColumn("{task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self.console,
            refresh_per_second=4,
            transient=True,
            expand=True,
            # What the user's own code prints on standard output stays there.
            redirect_stdout=False,
        )
        self.task = self.progress.add_task("", total=steps, completed=done, epoch=self.pace.epoch)
        self.progress.start()
        self.said = 0.0

    def advance(self, done: int) -> None:
        """Move the bar."""
        self.pace.done = done
        if self.progress is not None:
            self.progress.update(self.task, completed=done, epoch=self.pace.epoch)

    def evaluated(self, row: Mapping[str, float], rate: float | None) -> None:
        """Write what was measured above the bar, at most twice a second."""
        self.pace.evaluated(row, rate)
        now = self.pace.clock()
        if now - self.said >= 0.5:
            self.said = now
            self.say(self.pace.line)

    def say(self, message: str) -> None:
        """Write a line, above the bar if there is one."""
        self.console.print(Text(message))

    def close(self) -> None:
        """Take the bar away, however the training ended."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

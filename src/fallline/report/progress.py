"""How a study gets on while it runs, on standard error."""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from fallline.plain import canonical
from fallline.report.words import counted, number, quantity_text, value_text
from fallline.statistics import median_interval
from fallline.study import Record, Watcher
from fallline.study.ranking import GROUP, selected_on

EVERY = 5.0
"""Seconds between two plain lines at least."""


def default_watcher() -> Watcher:
    """A bar where standard error is a terminal, else plain lines, one every few seconds at most."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return BarWatcher(console)
    return LineWatcher(sys.stderr)


@dataclass
class Tally:
    """What a watcher has been told: steps, members, divergences, and the best setting so far."""

    members: int = 0
    before: int = 0
    ended: int = 0
    diverged: int = 0
    steps: int = 0
    steps_done: int = 0
    settings: dict[str, list[Record]] = field(default_factory=dict)
    problem: str = ""
    phase: str = ""

    def begin(self, members: int, ended: Iterable[Record], steps: int) -> None:
        """The study begins, or goes on."""
        self.members, self.steps = members, steps
        for record in ended:
            self._count(record)
        self.before = self.ended

    def advance(self, steps: int) -> None:
        """Some steps were done; a count that errs above the whole is held there."""
        self.steps_done = min(self.steps, self.steps_done + steps)

    def end(self, record: Record, steps_left: int) -> None:
        """A member has ended, steps left undone count as done."""
        self._count(record)
        self.advance(steps_left)
        if self.ended == self.members:
            self.steps_done = self.steps

    def _count(self, record: Record) -> None:
        self.ended += 1
        self.diverged += record.diverged
        self.problem = record["problem"]
        self.phase = record["phase"]
        setting = canonical([record[name] for name in (*GROUP, "hyperparameters", "phase")])
        self.settings.setdefault(setting, []).append(record)

    @property
    def best(self) -> str:
        """The setting with the least median loss so far, on the problem and in the phase of the last member."""
        now = (self.problem, self.phase)
        here = [runs for runs in self.settings.values() if (runs[0]["problem"], runs[0]["phase"]) == now]
        if not here:
            return ""
        quantity = selected_on([run for runs in here for run in runs])
        median, runs = min(
            ((median_interval([run.final(quantity) for run in runs]).median, runs) for runs in here),
            key=lambda pair: pair[0],
        )
        if median == float("inf"):
            return "all diverged so far"
        rate = runs[0]["hyperparameters"].get("lr")
        told = runs[0]["optimizer"] + (f" lr={value_text(rate)}" if rate is not None else "")
        seeds = f"median of {len(runs)} seeds" if len(runs) > 1 else "one seed"
        return f"best so far on {self.problem}: {told}, {quantity_text(quantity)} {number(median)} ({seeds})"

    @property
    def opening(self) -> str:
        """What there is to do."""
        if self.before == self.members:
            return f"All {counted(self.members, 'member')} had ended before."
        told = f"Training {counted(self.members - self.before, 'member')}, {counted(self.steps, 'step')}"
        return told + (f"; {self.before} had ended before." if self.before else ".")

    def closing(self, seconds: float) -> str | None:
        """What was done; nothing to say of a study that was stopped, as whoever stopped it says why."""
        if self.ended < self.members:
            return None
        diverged = f"; {self.diverged} diverged" if self.diverged else ""
        return f"{counted(self.members, 'member')} ended in {clock_text(seconds)}{diverged}."


class LineWatcher:
    """Plain lines: at the beginning, every few seconds, and at the end."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, every: float = EVERY) -> None:
        self.stream = stream
        self.clock = clock
        self.every = every
        self.tally = Tally()
        self.began = self.said = clock()
        self.open = False

    def begin(self, members: int, ended: Sequence[Record], steps: int) -> None:
        """Say what there is to do; again, where it has become more."""
        if not self.tally.members:
            self.began = self.clock()
        self.tally = Tally()
        self.tally.begin(members, ended, steps)
        self.said = self.clock()
        self.open = self.tally.before < members
        self.say(self.tally.opening)

    def advance(self, steps: int) -> None:
        """Say how far it is, if the last line was long enough ago."""
        self.tally.advance(steps)
        self._tell()

    def end(self, record: Record, steps_left: int) -> None:
        """Say how far it is, if the last line was long enough ago."""
        self.tally.end(record, steps_left)
        self._tell()

    def say(self, message: str) -> None:
        """Write a line."""
        print(message, file=self.stream, flush=True)

    def close(self) -> None:
        """Say what was done."""
        if self.open:
            self.open = False
            if told := self.tally.closing(self.clock() - self.began):
                self.say(told)

    def _tell(self) -> None:
        now = self.clock()
        if now - self.said < self.every or self.tally.ended == self.tally.members:
            return
        self.said = now
        share = self.tally.steps_done / max(self.tally.steps, 1)
        left = f", about {clock_text((now - self.began) * (1 / share - 1))} left" if share else ""
        best = f"; {self.tally.best}" if self.tally.best else ""
        self.say(
            f"{self.tally.ended}/{self.tally.members} members, {share:.0%} of the steps, "
            f"{clock_text(now - self.began)} gone{left}{best}"
        )


class BarWatcher:
    """A bar with members, time gone and expected, and the best setting so far beneath it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.tally = Tally()
        self.began = time.monotonic()
        self.progress: _Bar | None = None

    def begin(self, members: int, ended: Sequence[Record], steps: int) -> None:
        """Draw the bar; anew, where there is more to do."""
        if self.progress is not None:
            self.progress.stop()
        if not self.tally.members:
            self.began = time.monotonic()
        self.tally = Tally()
        self.tally.begin(members, ended, steps)
        if self.tally.before == members:
            self.say(self.tally.opening)
            return
        self.progress = _Bar(self.tally, self.console)
        self.progress.start()

    def advance(self, steps: int) -> None:
        """Move the bar."""
        self.tally.advance(steps)
        self._draw()

    def end(self, record: Record, steps_left: int) -> None:
        """Move the bar and count the member."""
        self.tally.end(record, steps_left)
        self._draw()

    def say(self, message: str) -> None:
        """Write a line, above the bar if there is one."""
        self.console.print(Text(message))

    def close(self) -> None:
        """Take the bar away, however the study ended, and say what was done."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
            if told := self.tally.closing(time.monotonic() - self.began):
                self.say(told)

    def _draw(self) -> None:
        if self.progress is not None:
            self.progress.follow()


class _Bar(Progress):
    def __init__(self, tally: Tally, console: Console) -> None:
        self.tally = tally
        super().__init__(
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[members]} members"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            refresh_per_second=4,
            transient=True,
            expand=True,
            # What the user's own code prints on standard output stays there.
            redirect_stdout=False,
        )
        self.task = self.add_task("", total=max(tally.steps, 1), members=self._members)

    def follow(self) -> None:
        """Show what the tally holds."""
        self.update(self.task, completed=self.tally.steps_done, members=self._members)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, and the best setting so far on one line."""
        yield self.make_tasks_table(self.tasks)
        yield Text(self.tally.best, no_wrap=True, overflow="ellipsis")

    @property
    def _members(self) -> str:
        return f"{self.tally.ended}/{self.tally.members}"


def clock_text(seconds: float) -> str:
    """Seconds as hours, minutes and seconds.

    >>> clock_text(75), clock_text(3700)
    ('1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

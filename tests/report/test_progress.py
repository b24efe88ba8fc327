import io
import sys

import pytest
from rich.console import Console

from fallline.report import default_watcher
from fallline.report.progress import BarWatcher, LineWatcher
from fallline.study import Watcher, run


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def lines_of(records, seconds_each):
    stream, clock = io.StringIO(), Clock()
    watcher = LineWatcher(stream, clock)
    watcher.begin(len(records), [], 10 * len(records))
    for record in records:
        clock.now += seconds_each
        watcher.advance(10)
        watcher.end(record, 0)
    watcher.close()
    return stream.getvalue().splitlines()


def test_plain_lines_come_at_the_beginning_at_the_end_and_every_few_seconds_between(studies):
    records = studies.digits.records
    assert lines_of(records, 0.01) == ["Training 24 members, 240 steps.", "24 members ended in 0:00; 3 diverged."]
    lines = lines_of(records, 1.0)
    assert len(lines) == 2 + 4
    assert lines[1].startswith("4/24 members, 21% of the steps, 0:05 gone, about 0:19 left; best so far on digits")
    assert lines[-1] == "24 members ended in 0:24; 3 diverged."


def test_the_best_so_far_is_the_least_median(studies):
    records = [record for record in studies.digits.records if record["optimizer"] == "sgd"]
    watcher = LineWatcher(io.StringIO())
    watcher.begin(100, records, 10)
    best = next(row for row in studies.digits.ranking if row.optimizer == "sgd")
    assert watcher.tally.best.endswith(
        f"sgd lr={best.hyperparameters['lr']:.3g}, validation loss {best.score:.3g} (median of 3 seeds)"
    )
    lost = LineWatcher(io.StringIO())
    lost.begin(100, [record for record in records if record.diverged], 10)
    assert lost.tally.best == "all diverged so far"


def test_a_study_that_goes_on_says_what_had_ended(studies):
    stream = io.StringIO()
    records = studies.digits.records
    LineWatcher(stream).begin(24, records[:20], 72)
    LineWatcher(stream).begin(24, records, 0)
    assert stream.getvalue().splitlines() == [
        "Training 4 members, 72 steps; 20 had ended before.",
        "All 24 members had ended before.",
    ]


def test_a_terminal_gets_a_bar_and_anything_else_lines(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(default_watcher(), LineWatcher)
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(default_watcher(), BarWatcher)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(default_watcher(), LineWatcher)


def test_the_bar_shows_members_and_the_best_and_leaves_the_terminal_clean(studies):
    records = studies.digits.records
    stream = io.StringIO()
    watcher = BarWatcher(Console(file=stream, force_terminal=True, width=100, color_system=None))
    watcher.begin(len(records), records[:2], 10 * (len(records) - 2))
    for record in records[2:5]:
        watcher.advance(10)
        watcher.end(record, 0)
    watcher.say("A word between.")
    watcher.progress.refresh()
    watcher.close()
    watcher.close()
    text = stream.getvalue()
    assert "5/24 members" in text
    assert "best so far on digits" in text
    assert "A word between." in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    assert text.endswith("\x1b[2K")


def test_a_watcher_is_closed_when_a_study_fails(studies, tmp_path):
    class Fails(LineWatcher):
        closed = 0

        def end(self, record, steps_left):
            raise KeyboardInterrupt

        def close(self):
            self.closed += 1

    watcher: Watcher = Fails(io.StringIO())
    with pytest.raises(KeyboardInterrupt):
        run(studies.digits.study, tmp_path / "again", watcher)
    assert watcher.closed == 1

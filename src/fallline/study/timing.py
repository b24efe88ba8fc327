"""The rows of a ranking with the time that their runs took to the target."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from fallline.study.ranking import Row
from fallline.study.reached import reached
from fallline.study.record import key
from fallline.study.speed import Speed, timed
from fallline.study.target import ResolvedTarget, Target, resolved


def with_times(
    rows: Sequence[Row],
    targets: Mapping[str, Target | None],
    lengths: Mapping[tuple[str, int | None], int],
    speeds: Iterable[Speed] = (),
) -> list[Row]:
    """The same rows with their targets and the times to these. `targets` are each problem's, `lengths` the steps of the
    whole budget by problem and batch size, `speeds` what speed runs measured.
    """
    kept = {speed.key: speed for speed in speeds}
    known = {problem: _resolved(asked, rows, problem) for problem, asked in targets.items() if asked is not None}
    return [
        _timed(row, known.get(row.problem), lengths.get((row.problem, row.batch_size)), kept.get(key(timed(vars(row)))))
        for row in rows
    ]


def _timed(row: Row, target: ResolvedTarget | None, length: int | None, speed: Speed | None) -> Row:
    if target is None or target.target is None:
        return replace(row, target=target, speed=speed)
    longest = max(int(run.curve["step"][-1]) for run in row.winners)
    seconds = None if speed is None else speed.interval.median
    found = reached(row.winners, target.target, length or longest, seconds)
    return replace(row, target=target, reached=found, speed=speed)


def _resolved(asked: Target, rows: Sequence[Row], problem: str) -> ResolvedTarget:
    own = [row for row in rows if row.problem == problem and row.optimizer == asked.baseline]
    return resolved(asked, [row.intervals[asked.quantity].median for row in own if asked.quantity in row.intervals])

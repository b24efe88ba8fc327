"""Speed runs: the optimizers of a ranking trained alone for some steps, taking turns.

The seconds of the runs that are compared say little about an optimizer: members train together, at different hours,
beside other work. What a step takes is measured apart, after them.
"""

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from fallline.plain import canonical
from fallline.problems import Prepared
from fallline.randomness import forked
from fallline.study.environment import cpu
from fallline.study.loop import threads
from fallline.study.one_by_one import ONE_THREAD_BELOW, step_flops
from fallline.study.ranking import Row
from fallline.study.record import key
from fallline.study.results import StudyResults
from fallline.study.rhythm import rhythm
from fallline.study.speed import Speed, timed
from fallline.study.store import Store
from fallline.study.study import Study
from fallline.training import Curve, Member
from fallline.training.batches import Place, batches
from fallline.training.training import Training

SECONDS = 0.3
"""What the rounds of a study may take together, as long as every setting gets its rounds."""
ROUNDS = 7
FIRST = 3
"""Steps before the rounds, in which what is prepared or compiled is."""
MOST = 50
"""The most steps of a round."""
TOGETHER = 8
"""The most settings whose models and states are in memory at once."""


def measure_speeds(study: Study, store: Store) -> None:
    """Make the speed runs of a study whose members have ended, and keep what they measured; what is kept already is
    not measured again.

    They are made where that was asked for, and unless it was declined where a full protocol has a target. What
    diverged has no speed.
    """
    spec = study.specification
    wanted = spec.speed if spec.speed is not None else spec.protocol == "full" and any(p.target for p in spec.problems)
    if not wanted:
        return
    kept = {speed.key for speed in store.speeds()}
    records = tuple(store.records().values())
    ranking = StudyResults(spec, study.environment, study.plan.to_json(), records, store.folder).ranking
    rows = [row for row in ranking if math.isfinite(row.score) and key(timed(vars(row))) not in kept]
    if rows:
        store.add_speeds(speed_runs(study, rows))


def speed_runs(study: Study, rows: Sequence[Row]) -> list[Speed]:
    """Measure the seconds of a step of each row's setting, those of one problem and batch size in turns.

    A round gives every setting some steps on the same batches, and begins with another one each time. The settings
    of a study share about 0.3 seconds, reading included; where a step is slow it is one step a round, and the whole
    rhythm of a rule that does more now and then, as far as it shows within a training of the study. At most 8 settings
    are kept in memory at once, and take turns.
    """
    kin: dict[tuple[str, int | None], list[Row]] = {}
    for row in rows:
        kin.setdefault((row.problem, row.batch_size), []).append(row)
    groups = [own[i : i + TOGETHER] for own in kin.values() for i in range(0, len(own), TOGETHER)]
    return [speed for group in groups for speed in _in_turns(study, group, SECONDS * len(group) / len(rows))]


@dataclass
class _Timed:
    """A training with what its rounds took, in seconds a step."""

    row: Row
    training: Training
    first: float = 0.0
    steps: int = 1
    seconds: list[float] = field(default_factory=list)

    def take(self, coming: Sequence[tuple[Place, Any]]) -> float:
        """The mean seconds of a step on some batches."""
        _wait(self.training.problem.device)
        began = time.perf_counter()
        for place, batch in coming:
            self.training.step(batch, place)
        _wait(self.training.problem.device)
        return (time.perf_counter() - began) / len(coming)


def _in_turns(study: Study, rows: Sequence[Row], seconds: float) -> list[Speed]:
    seed = rows[0].winners[0]["seed"]
    members = [_member(study, row, seed) for row in rows]
    problem = study.problems[rows[0].problem]
    count = _threads(study, problem, rows[0].batch_size)
    with threads(count), forked(problem.device):
        all_timed = [_begun(study, row, member, problem) for row, member in zip(rows, members, strict=True)]
        try:
            _rounds(all_timed, batches(problem, members[0], study.specification.seed, Place()), seconds)
        finally:
            for one in all_timed:
                one.training.close()
    machine = _machine(problem.device)
    return [Speed(timed(vars(one.row)), tuple(one.seconds), one.first, one.steps, count, machine) for one in all_timed]


def _rounds(all_timed: Sequence[_Timed], coming: Iterator[tuple[Place, Any]], seconds: float) -> None:
    share = seconds / ROUNDS / len(all_timed)
    for one in all_timed:
        read, reading = _read(coming, FIRST)
        one.first, *later = (one.take([step]) for step in read)
        fitting = max(1, min(MOST, int(share / (reading + min(later)))))
        period = rhythm(one.training.optimizer)
        one.steps = max(1, min(-(-fitting // period) * period, one.training.total))
    longest = max(one.steps for one in all_timed)
    for number in range(ROUNDS):
        read, reading = _read(coming, longest)
        turn = number % len(all_timed)
        for one in (*all_timed[turn:], *all_timed[:turn]):
            one.seconds.append(reading + one.take(read[: one.steps]))


def _read(coming: Iterator[tuple[Place, Any]], count: int) -> tuple[list[tuple[Place, Any]], float]:
    """The next batches, and the mean seconds of reading one."""
    began = time.perf_counter()
    read = [next(coming) for _ in range(count)]
    return read, (time.perf_counter() - began) / count


def _threads(study: Study, problem: Prepared, batch_size: int | None) -> int:
    """The threads that were asked for, or those with which one training by itself is fast."""
    runner, asked = study.plan.asked
    if asked is not None and runner != "processes":
        return asked
    return 1 if step_flops(problem, batch_size) < ONE_THREAD_BELOW else torch.get_num_threads()


def _begun(study: Study, row: Row, member: Member, problem: Prepared) -> _Timed:
    total = study.budget.total_steps(problem.train.steps(member.batch_size or 0))
    training = Training(member, problem, study.specification.seed, total)
    # A schedule may ask for the losses so far: those of the start are known, without another evaluation.
    training.curve = Curve({name: values[:1] for name, values in row.winners[0].curve.columns.items()})
    return _Timed(row, training)


def _member(study: Study, row: Row, seed: int) -> Member:
    """The member that trains a row's setting, of whichever stage of the study."""
    kin = [
        member
        for member in study.members
        if (member.problem, member.optimizer, str(member.schedule), member.batch_size)
        == (row.problem, row.optimizer, row.schedule, row.batch_size)
        and _same(member.factors, row.factors)
    ]
    own = next((m for m in kin if _same(m.hyperparameters, row.hyperparameters)), None)
    member = own or replace(kin[0], hyperparameters=row.hyperparameters)
    return replace(member, seed=seed, diagnostics="none")


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return canonical(dict(one)) == canonical(dict(other))


def _wait(device: torch.device) -> None:
    """Wait for a device that works on while Python goes ahead."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _machine(device: torch.device) -> str:
    name = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    return f"{cpu()}, {os.cpu_count()} cores{name}"

"""Running a study: members one after another, each written down as it ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from fallline.errors import InputError
from fallline.study.differences import differences
from fallline.study.environment import changes, moved
from fallline.study.record import Record, describe, key
from fallline.study.specification import Specification
from fallline.study.store import Store
from fallline.study.study import Study
from fallline.study.weights import keep_best, save_weights
from fallline.training import Member, Trained, train_cohort


@runtime_checkable
class Watcher(Protocol):
    """Somebody who wants to know how a study gets on."""

    def begin(self, members: int, ended: Sequence[Record], steps: int) -> None:
        """The study begins, or goes on: all members, those already ended, steps still to do."""

    def advance(self, steps: int) -> None:
        """Some steps were done by one member."""

    def end(self, record: Record, steps_left: int) -> None:
        """A member has ended; it left this many of its steps undone."""

    def say(self, message: str) -> None:
        """Something the user should know."""

    def close(self) -> None:
        """The run is over, whether it finished, failed or was interrupted."""


class Silent:
    """A watcher that does not care."""

    def begin(self, members: int, ended: Sequence[Record], steps: int) -> None:
        """Nothing."""

    def advance(self, steps: int) -> None:
        """Nothing."""

    def end(self, record: Record, steps_left: int) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def run(study: Study, folder: str | Path, watcher: Watcher | None = None) -> list[Record]:
    """Train what is missing in a folder; the records of all members, in the study's order.

    A folder that holds this study already is continued: code and data must be the same. Raises InputError for a
    folder of another study, MachineError where the machine failed.
    """
    watcher = watcher or Silent()
    with Store.writer(folder) as store, threads(_begin(store, study, watcher)), closing(watcher):
        records = store.records()
        missing = [member for member in study.members if key(describe(member)) not in records]
        watcher.begin(len(study.members), list(records.values()), sum(_steps(study, m) for m in missing))
        try:
            for cohort in _cohorts(study, missing):
                _train(store, study, cohort, records, watcher)
        except BaseException as error:
            error.add_note(
                f"{len(records)} of {len(study.members)} members have ended and are kept. To go on, code and data "
                f"unchanged: fallline resume {store.folder}"
            )
            raise
    return [records[key(describe(member))] for member in study.members]


def _train(store: Store, study: Study, cohort: Sequence[Member], records: dict[str, Record], watcher: Watcher) -> None:
    prepared = study.problems[cohort[0].problem]
    ticks = _Ticks(watcher, len(cohort))
    try:
        ended = train_cohort(cohort, prepared, study.budget, study.specification.seed, tick=ticks.advance)
    except Exception as error:
        error.add_note(f"This came up while training {' and '.join(map(_told, cohort))}.")
        raise
    for trained in ended:
        record = _keep(store, trained)
        records[record.key] = record
        watcher.end(record, _steps(study, trained.member) - trained.outcome.step)
    keep_best(store.folder, records.values(), study.specification.seeds)


def _told(member: Member) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in member.hyperparameters.items())
    return f"{member.optimizer} ({settings}), seed {member.seed}, on {member.problem}"


def _begin(store: Store, study: Study, watcher: Watcher) -> int:
    """Write down a new study, or make sure that it is the one begun here; the threads of its plan."""
    written = study.specification.model_dump_json()
    before = store.study()
    if before is None:
        store.begin(written, study.plan.to_json(), dict(study.environment))
        return study.plan.threads
    specification, plan, environment = before
    refuse_another(study, specification, store.folder)
    refuse_changes(study, environment, store.folder, watcher.say)
    return int(plan["threads"])


def refuse_another(study: Study, specification: str, folder: Path, noun: str = "study") -> None:
    """Raise InputError where a folder's specification is not this study's."""
    stored = Specification.model_validate_json(specification)
    if stored != study.specification:
        raise InputError(
            f"{folder} holds another {noun} ({'; '.join(differences(stored, study.specification))}). Choose another "
            f"store, or delete that folder, or continue it: fallline resume {folder}"
        )


def refuse_changes(
    study: Study, environment: Mapping[str, Any], folder: Path, say: Callable[[str], None], noun: str = "study"
) -> None:
    """Raise InputError where code or data changed since the environment was stored; say what may move the last bits."""
    if different := changes(environment, study.environment):
        raise InputError(
            f"The {noun} in {folder} cannot go on: {', '.join(different)} changed since it began, so its curves "
            f"would not belong together. Undo the change, or begin a new {noun} in another store."
        )
    if differing := moved(environment, study.environment):
        say(f"Other circumstances than when this {noun} began ({'; '.join(differing)}): the last bits may differ.")


def _keep(store: Store, trained: Trained) -> Record:
    record = Record.of(trained)
    save_weights(store.folder, record.key, trained.weights)
    store.add(record)
    return record


def _cohorts(study: Study, members: Sequence[Member]) -> Iterator[list[Member]]:
    """Members one by one; those that share a DataLoader's epochs together, so that each epoch is read once."""
    together: dict[Any, list[Member]] = {}
    for number, member in enumerate(members):
        opaque = study.problems[member.problem].train.rows is None
        together.setdefault((member.problem, member.seed) if opaque else number, []).append(member)
    yield from together.values()


def _steps(study: Study, member: Member) -> int:
    return study.budget.total_steps(study.problems[member.problem].train.steps(member.batch_size or 0))


class _Ticks:
    def __init__(self, watcher: Watcher, members: int) -> None:
        self.watcher = watcher
        self.members = members
        self.before = 0

    def advance(self, done: int) -> None:
        self.watcher.advance((done - self.before) * self.members)
        self.before = done


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

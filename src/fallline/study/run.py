"""Running a study: a runner trains its members, and each is written down as it ends."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.study.checkpoints import Checkpoints
from fallline.study.differences import differences
from fallline.study.environment import changes, moved
from fallline.study.plan import Plan, PlannedPopulation
from fallline.study.planning import RUNNERS
from fallline.study.record import Record, describe, key
from fallline.study.specification import Specification
from fallline.study.speed_runs import measure_speeds
from fallline.study.store import Store
from fallline.study.study import Study
from fallline.study.watcher import Silent, Watcher
from fallline.study.weights import beaten, forget_weights, save_weights
from fallline.study.work import Work
from fallline.training import Member, Trained


def run(study: Study, folder: str | Path, watcher: Watcher | None = None) -> list[Record]:
    """Train what is missing in a folder; the records of all members, in the study's order.

    A folder that holds this study already is continued: code and data must be the same. Raises InputError for a
    folder of another study, MachineError where the machine failed.
    """
    watcher = watcher or Silent()
    with Store.writer(folder) as store, closing(watcher):
        plan = _begin(store, study, watcher)
        records = store.records()
        missing = [member for member in study.members if key(describe(member)) not in records]
        works = _works(study, store, plan, records, watcher)
        watcher.begin(len(study.members), list(records.values()), sum(_steps(study, m) for m in missing))
        try:
            for runner, work in works:
                with closing(RUNNERS[runner](work)) as ended:
                    for cohort in ended:
                        if work.planned is not None:
                            plan = plan.compacted(work.planned, work.compaction)
                        _keep(store, study, work, plan, cohort, records)
        except BaseException as error:
            error.add_note(
                f"{len(records)} of {len(study.members)} members have ended and are kept. To go on, code and data "
                f"unchanged: fallline resume {store.folder}"
            )
            raise
        _checkpoints(study, store, plan).keep_only(())
        measure_speeds(study, store)
    return [records[key(describe(member))] for member in study.members]


def _works(
    study: Study, store: Store, plan: Plan, records: Mapping[str, Record], watcher: Watcher
) -> list[tuple[str, Work]]:
    """Who has to train what: populations of which a member is missing, and the missing members that are in none."""
    checkpoints = _checkpoints(study, store, plan)

    def missing(member: Member) -> bool:
        return key(describe(member)) not in records

    def work(cohorts: Sequence[Sequence[Member]], threads: int, planned: PlannedPopulation | None = None) -> Work:
        seed = study.specification.seed
        return Work(study.problems, study.budget, seed, cohorts, threads, checkpoints, watcher, planned)

    works = [
        ("population", work([members], planned.threads, planned))
        for planned in plan.populations
        if any(map(missing, members := [study.members[place] for place in planned.members]))
    ]
    others = list(_cohorts(study, [m for m in (study.members[place] for place in plan.others()) if missing(m)]))
    works += [(plan.runner, work(others, plan.threads))] if others else []
    checkpoints.keep_only(cohort for _, own in works for cohort in own.cohorts)
    return works


def _checkpoints(study: Study, store: Store, plan: Plan) -> Checkpoints:
    return Checkpoints.of_study(store.folder, study.specification.digest, plan.to_json(), study.environment)


def _keep(
    store: Store, study: Study, work: Work, plan: Plan, cohort: Sequence[Trained], records: dict[str, Record]
) -> None:
    """Write down a cohort that has ended: its members are all in the store, or its checkpoint is still there."""
    ended = [Record.of(trained) for trained in cohort]
    worse = beaten([*records.values(), *ended], study.specification.seeds)
    for record, trained in zip(ended, cohort, strict=True):
        if record.key not in worse:
            save_weights(store.folder, record.key, trained.weights)
    store.add(*ended, plan=plan.to_json() if work.compaction else None)
    members = [trained.member for trained in cohort]
    work.checkpoints.of(members, work.watcher.say).remove()
    records.update((record.key, record) for record in ended)
    for record, member in zip(ended, members, strict=True):
        work.watcher.end(record, _steps(study, member) - record.outcome.step)
    forget_weights(store.folder, worse)


def _begin(store: Store, study: Study, watcher: Watcher) -> Plan:
    """Write down a new study, or make sure that it is the one begun here; its plan."""
    written = study.specification.model_dump_json()
    before = store.study()
    if before is None:
        store.begin(written, study.plan.to_json(), dict(study.environment))
        return study.plan
    specification, plan, environment = before
    refuse_another(study, specification, store.folder)
    refuse_changes(study, environment, store.folder, watcher.say)
    return Plan.from_json(plan)


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


def _cohorts(study: Study, members: Sequence[Member]) -> Iterator[list[Member]]:
    """Members one by one; those that share a DataLoader's epochs together, so that each epoch is read once."""
    together: dict[Any, list[Member]] = {}
    for number, member in enumerate(members):
        opaque = study.problems[member.problem].train.rows is None
        together.setdefault((member.problem, member.seed) if opaque else number, []).append(member)
    yield from together.values()


def _steps(study: Study, member: Member) -> int:
    return study.budget.total_steps(study.problems[member.problem].train.steps(member.batch_size or 0))

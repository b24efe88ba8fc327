"""Running a study: a runner trains its members, and each is written down as it ends."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from fallline.errors import InputError
from fallline.phrases import counted
from fallline.study.checkpoints import Checkpoints
from fallline.study.course import StageOfMembers
from fallline.study.differences import differences
from fallline.study.environment import changes, moved
from fallline.study.plan import Plan, PlannedPopulation
from fallline.study.planning import RUNNERS
from fallline.study.population import by_seed
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
    """Train what is missing in a folder, stage by stage; the records of all members, in the study's order.

    A folder that holds this study already is continued: code and data must be the same. Raises InputError for a
    folder of another study, MachineError where the machine failed.
    """
    watcher = watcher or Silent()
    with Store.writer(folder) as store, closing(watcher):
        running = _Running(study, store, watcher)
        try:
            records = list(running.through())
            measure_speeds(study, store)
            return records
        except BaseException as error:
            error.add_note(
                f"{len(running.records)} of {running.plan.all_members} members have ended and are kept. To go on, code "
                f"and data unchanged: fallline resume {store.folder}"
            )
            raise


class _Running:
    """A study that is being run: its plan so far, and the records of the members that have ended."""

    def __init__(self, study: Study, store: Store, watcher: Watcher) -> None:
        self.study = study
        self.store = store
        self.watcher = watcher
        self.plan = _begin(store, study, watcher)
        self.records = store.records()

    def through(self) -> Iterator[Record]:
        """Run every stage to its end; the records of each."""
        self._tell()
        course = self.study.course()
        stage = next(course)
        for number in itertools.count():
            if number == len(self.plan.stages):
                self._plan(stage)
            if any(map(self._missing, stage.members)):
                self._train(number, stage.members)
            ended = [self.records[key(describe(member))] for member in stage.members]
            yield from ended
            try:
                stage = course.send([record.final(record.curve.deciding) for record in ended])
            except StopIteration:
                self._checkpoints(self.plan).keep_only(())
                return

    def _checkpoints(self, plan: Plan) -> Checkpoints:
        study = self.study
        return Checkpoints.of_study(self.store.folder, study.specification.digest, plan.to_json(), study.environment)

    def _tell(self) -> None:
        length = {(name, size): steps for name, size, steps in self.plan.lengths}
        ended = list(self.records.values())
        done = sum(length[record["problem"], record["batch_size"]] for record in ended)
        self.watcher.begin(self.plan.all_members, ended, self.plan.all_steps - done)

    def _plan(self, stage: StageOfMembers) -> None:
        """Choose how a later stage is trained, and write that down before any of it is."""
        own = self.study.plan_stage(stage.members, self.plan.asked)
        further = stage.name == "further trials"
        self.plan = self.plan.followed_by(own, known_before=not further)
        self.store.keep_plan(self.plan.to_json())
        if further:
            self.watcher.say("A best value is at the edge of what was tried: every optimizer gets more trials.")
            self._tell()

    def _missing(self, member: Member) -> bool:
        return key(describe(member)) not in self.records

    def _train(self, number: int, members: Sequence[Member]) -> None:
        """Train the members of a stage that are missing."""
        plan = self.plan.stages[number]
        checkpoints = self._checkpoints(plan)
        works = self._works(members, plan, checkpoints)
        cohorts = [cohort for _, work in works for cohort in work.cohorts]
        checkpoints.keep_only([*cohorts, *chain.from_iterable(map(by_seed, cohorts))])
        for runner, work in works:
            with closing(RUNNERS[runner](work)) as ended:
                for cohort in ended:
                    if work.planned is not None:
                        plan = plan.compacted(work.planned, work.compaction).with_reasons(work.reasons)
                        self.plan = self.plan.with_stage(number, plan)
                    self._keep(work, cohort)

    def _works(self, members: Sequence[Member], plan: Plan, checkpoints: Checkpoints) -> list[tuple[str, Work]]:
        """Who has to train what: populations that are missing, and the missing members that are in none."""

        def work(cohorts: Sequence[Sequence[Member]], threads: int, planned: PlannedPopulation | None = None) -> Work:
            study = self.study
            seed = study.specification.seed
            return Work(study.problems, study.budget, seed, cohorts, threads, checkpoints, self.watcher, planned)

        works = []
        for planned in plan.populations:
            own = [members[place] for place in planned.members]
            missing = [member for member in own if self._missing(member)]
            begun = len(by_seed(own)) > 1 and any(map(checkpoints.has, by_seed(own)))
            if missing and (begun or len(missing) < len(own)):
                # A population is stored as a whole: these turned out not to be mapped, and train one by one.
                works.append(("loop", work(by_seed(missing), planned.threads)))
            elif missing:
                works.append(("population", work([own], planned.threads, planned)))
        alone = [members[place] for place in plan.others()]
        others = list(_cohorts(self.study, [member for member in alone if self._missing(member)]))
        return works + ([(plan.runner, work(others, plan.threads))] if others else [])

    def _keep(self, work: Work, cohort: Sequence[Trained]) -> None:
        """Write down a cohort that has ended: its members are all in the store, or its checkpoint is still there."""
        ended = [Record.of(trained) for trained in cohort]
        worse = beaten(self.records.values(), ended, self.study.specification.runs)
        for record, trained in zip(ended, cohort, strict=True):
            if record.key not in worse:
                save_weights(self.store.folder, record.key, trained.weights)
        self.store.add(*ended, plan=self.plan.to_json() if work.compaction or work.reasons else None)
        members = [trained.member for trained in cohort]
        work.checkpoints.of(members, work.watcher.say).remove()
        self.records.update((record.key, record) for record in ended)
        for record, member in zip(ended, members, strict=True):
            work.watcher.end(record, _steps(self.study, member) - record.outcome.step)
        forget_weights(self.store.folder, worse)


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
    found = Plan.from_json(plan)
    if found.asked != study.plan.asked:
        asked, threads = found.asked
        told = f"the runner {asked}" + (f" and {counted(threads, 'thread')}" if threads else "")
        watcher.say(f"This study began with {told}, and goes on by that plan; another runner needs another store.")
    return found


def refuse_another(study: Study, specification: str, folder: Path, noun: str = "study") -> None:
    """Raise InputError where a folder's specification is not this study's."""
    stored, given = _asked_for(Specification.model_validate_json(specification)), _asked_for(study.specification)
    if stored != given:
        raise InputError(
            f"{folder} holds another {noun} ({'; '.join(differences(stored, given))}). Choose another "
            f"store, or delete that folder, or continue it: fallline resume {folder}"
        )


def _asked_for(spec: Specification) -> Specification:
    """A specification without what follows from the code of its optimizers."""
    optimizers = tuple(optimizer.model_copy(update={"includes": ()}) for optimizer in spec.optimizers)
    return spec.model_copy(update={"optimizers": optimizers})


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

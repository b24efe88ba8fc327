"""Running a fit: one member, from its beginning or from its last checkpoint to the end."""

from contextlib import closing
from pathlib import Path

from fallline.errors import FalllineError, InputError, describe_failure
from fallline.fitting.cadence import Cadence
from fallline.fitting.confusion import confusion
from fallline.fitting.fit import FitResult
from fallline.fitting.folder import FitFolder
from fallline.fitting.keeper import Keeper
from fallline.fitting.watcher import FitWatcher, Silent
from fallline.randomness import forked, seed_global
from fallline.study import Record, Study
from fallline.study.environment import changes
from fallline.study.loop import threads
from fallline.study.record import describe
from fallline.study.run import refuse_another, refuse_changes
from fallline.training.batches import batches
from fallline.training.checkpoint import read_checkpoint
from fallline.training.cohort import advance
from fallline.training.hidden_state import hidden_state
from fallline.training.resumption import go_on, snapshot
from fallline.training.training import Training
from fallline.training.tree import flatten, restore


def run(study: Study, folder: str | Path, cadence: Cadence, watcher: FitWatcher | None = None) -> FitResult:
    """Train the one member of a study in a folder; one that holds it already is continued, or reported if it ended.

    Raises InputError for a folder of something else, for code or data that changed, and for what a checkpoint cannot
    hold; MachineError where the machine failed.
    """
    watcher = watcher or Silent()
    member = study.members[0]
    problem = study.problems[member.problem]
    with FitFolder.writer(folder) as files:
        tree = read_checkpoint(files.last) if files.last.is_file() else None
        ended = tree is not None and tree["ended"]
        with threads(_begin(files, study, cadence, watcher, ended)), closing(watcher), forked(problem.device):
            training = _training(study)
            if tree is not None:
                go_on(training, tree["training"])
            if not ended:
                try:
                    _train(training, study, files, cadence, watcher)
                except BaseException as error:
                    error.add_note(_how_to_go_on(files, study))
                    raise
            assert training.outcome is not None
            model = training.model.eval()
            seed_global(study.specification.seed, "confusion", device=problem.device)
            found = None if training.outcome.diverged else confusion(model, problem)
        record = Record(describe(member), training.outcome, training.curve, training.seconds, training.origin)
        matrix, on = (None, None) if found is None else found
        return FitResult(study, record, model, matrix, on, files.folder)


def _train(training: Training, study: Study, files: FitFolder, cadence: Cadence, watcher: FitWatcher) -> None:
    steps_per_epoch = training.problem.train.steps(training.member.batch_size or 0)
    keeper = Keeper(files, training, cadence, steps_per_epoch)

    def after(done: int, evaluated: bool) -> None:
        keeper.look(done, evaluated)
        if evaluated:
            watcher.evaluated(training.curve.last(), _rate(training))
        if evaluated or done % 50 == 0:
            watcher.advance(done)

    watcher.begin(training.total, steps_per_epoch, training.done)
    if not training.curve.columns:
        training.evaluate()
        after(0, True)
    if training.outcome is None:
        advance([training], study.budget, after)
    training.finish()
    keeper.end()


def _begin(files: FitFolder, study: Study, cadence: Cadence, watcher: FitWatcher, ended: bool) -> int:
    """Write down a new fit, or make sure that it is the one begun here; the threads of its plan."""
    before = files.stored()
    if before is None:
        _rehearse_checkpoint(study, watcher)
        written = study.specification.model_dump_json()
        files.begin(written, study.plan.to_json(), dict(study.environment), cadence.text)
        return study.plan.threads
    specification, plan, environment = before.specification, before.plan, before.environment
    refuse_another(study, specification.model_dump_json(), files.folder, "training")
    if not ended:
        refuse_changes(study, environment, files.folder, watcher.say, "training")
    elif different := changes(environment, study.environment):
        watcher.say(f"This training had ended before {', '.join(different)} changed; its curve is of then.")
    return int(plan["threads"])


def _rehearse_checkpoint(study: Study, watcher: FitWatcher) -> None:
    """What one step leaves behind must go into a checkpoint and out of it again."""
    member = study.members[0]
    problem = study.problems[member.problem]
    with forked(problem.device):
        training = _training(study)
        training.evaluate()
        place, batch = next(batches(problem, member, study.specification.seed, training.place))
        training.step(batch, place)
        again = _training(study)
        tree = restore(flatten(snapshot(training)))
        try:
            go_on(again, tree)
        except FalllineError:
            raise
        except Exception as error:
            raise InputError(
                f"{member.problem}: the state of the model or of {member.optimizer} cannot be put back from a "
                f"checkpoint: {describe_failure(error)}"
            ) from error
    if hidden := hidden_state(training, again):
        watcher.say(
            f"{', '.join(hidden)} changed in a step and is in no state_dict: a training that was interrupted goes on "
            "without it. A buffer, or get_extra_state, would keep it."
        )


def _training(study: Study) -> Training:
    member = study.members[0]
    problem = study.problems[member.problem]
    total = study.budget.total_steps(problem.train.steps(member.batch_size or 0))
    return Training(member, problem, study.specification.seed, total, study.budget.losses_every)


def _rate(training: Training) -> float | None:
    rate = training.optimizer.param_groups[0].get("lr")
    return None if rate is None else float(rate)


def _how_to_go_on(files: FitFolder, study: Study) -> str:
    kept = "the last checkpoint is kept" if files.last.is_file() else "no checkpoint had been written yet"
    return f"To go on, code and data unchanged ({kept}): fallline resume {files.folder}"

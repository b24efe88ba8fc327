"""How the loop keeps the trainings of a cohort: beginning where a checkpoint left them, and writing the next."""

from collections.abc import Callable, Sequence

from fallline.errors import InputError, describe_failure
from fallline.training.cohort_checkpoint import CohortCheckpoint
from fallline.training.hidden_state import hidden_state
from fallline.training.resumption import go_on, snapshot
from fallline.training.training import Training
from fallline.training.tree import flatten, restore


class Keeping:
    """Begins the trainings that `make` makes, and keeps them in a checkpoint.

    The first checkpoint is rehearsed: trainings that could not go on from it exactly are not kept.
    """

    def __init__(self, checkpoint: CohortCheckpoint | None, make: Callable[[], list[Training]]) -> None:
        self._checkpoint = checkpoint
        self._make = make
        self._rehearsed = False

    def begin(self) -> list[Training]:
        """The trainings, where the checkpoint left them, or at their beginning."""
        trainings = self._make()
        tree = None if self._checkpoint is None else self._checkpoint.load()
        if self._checkpoint is None or tree is None:
            return trainings
        try:
            for training, saved in zip(trainings, tree["trainings"], strict=True):
                go_on(training, saved)
        except Exception as error:
            _close(trainings)
            self._checkpoint.drop(_unkept(trainings[0], error))
            return self._make()
        self._rehearsed = True
        return trainings

    def look(self, trainings: Sequence[Training]) -> None:
        """Write a checkpoint behind a step if one is due."""
        if self._checkpoint is None or not self._checkpoint.due():
            return
        if not self._rehearsed:
            self._rehearsed = True
            self._rehearse(self._checkpoint, trainings)
        if self._checkpoint.due():
            self._checkpoint.save({"trainings": [snapshot(training) for training in trainings]})

    def _rehearse(self, checkpoint: CohortCheckpoint, trainings: Sequence[Training]) -> None:
        others = self._make()
        try:
            for training, other in zip(trainings, others, strict=True):
                go_on(other, restore(flatten(snapshot(training))))
                if hidden := hidden_state(training, other):
                    told = f"{', '.join(hidden)} changed in training and is in no state_dict"
                    checkpoint.drop(f"{_named(training)} cannot be kept in a checkpoint: {told}")
                    return
        except Exception as error:
            checkpoint.drop(_unkept(training, error))
        finally:
            _close(others)


def _unkept(training: Training, error: Exception) -> str:
    told = str(error) if isinstance(error, InputError) else describe_failure(error)
    return f"{_named(training)} cannot be kept in a checkpoint: {told}"


def _named(training: Training) -> str:
    return f"{training.member.optimizer} on {training.member.problem}"


def _close(trainings: Sequence[Training]) -> None:
    for training in trainings:
        training.close()

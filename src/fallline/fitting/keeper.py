"""What keeps a training on disk while it runs: the last checkpoint to go on from, and the best weights so far."""

import math
import time
from typing import Any

from fallline.fitting.cadence import Cadence
from fallline.fitting.folder import FitFolder
from fallline.training.checkpoint import write_checkpoint
from fallline.training.resumption import snapshot
from fallline.training.stopping import copied
from fallline.training.training import Training


class Keeper:
    """Looks at a training behind every step. Best is the least validation loss, or training loss where nothing is held
    out; the best weights are written before the checkpoint of a later step, so a checkpoint never lacks them.
    """

    def __init__(self, folder: FitFolder, training: Training, cadence: Cadence, steps_per_epoch: int) -> None:
        self.folder = folder
        self.training = training
        self.cadence = cadence
        self.steps_per_epoch = steps_per_epoch
        self._least = min((loss for loss in self._losses() if not math.isnan(loss)), default=math.inf)
        self._best: dict[str, Any] | None = None
        self._about: dict[str, str] = {}
        self._written = time.perf_counter()
        self._cost = 0.0

    def look(self, done: int, evaluated: bool) -> None:
        """Note the weights if they are the best, and write a checkpoint if one is due."""
        if evaluated:
            self._note()
        since = time.perf_counter() - self._written
        if self.cadence.due(done, done % self.steps_per_epoch == 0, since, self._cost):
            self.write()

    def end(self) -> None:
        """Write the weights and the last checkpoint of a training that has ended; of a diverged one no weights."""
        assert self.training.outcome is not None
        if not self.training.outcome.diverged:
            write_checkpoint(self.folder.weights, dict(self.training.model.state_dict()))
        self.write(ended=True)

    def write(self, ended: bool = False) -> None:
        """Write the best weights, if they are new, and a checkpoint."""
        began = time.perf_counter()
        if self._best is not None:
            write_checkpoint(self.folder.best, self._best, self._about)
            self._best = None
        write_checkpoint(self.folder.last, {"ended": ended, "training": snapshot(self.training)})
        self._written = time.perf_counter()
        self._cost = self._written - began

    def _note(self) -> None:
        loss = self._losses()[-1]
        diverged = self.training.outcome is not None and self.training.outcome.diverged
        if diverged or not loss < self._least:
            return
        self._least = loss
        with self.training.evaluating():
            self._best = copied(self.training.model.state_dict())
        self._about = {"step": str(self.training.done), self.training.curve.deciding: repr(loss)}

    def _losses(self) -> list[float]:
        curve = self.training.curve
        return curve.columns.get(curve.deciding, [])

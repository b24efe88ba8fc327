"""`fl.fit`: one model trained well, with checkpoints, and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fallline.arguments import by_name, check, place
from fallline.errors import InputError, WrongArgument, shown
from fallline.fitting import Cadence, FitFolder, FitResult, FitWatcher, run, single
from fallline.problems import Problem
from fallline.report import fit_figure, fit_summary
from fallline.report.fit_progress import default_fit_watcher
from fallline.study import Study, make_study, named, rebuild
from fallline.study.defaults import default_epochs
from fallline.study.folders import new_folder
from fallline.study.unused import refuse_unused_penalise


@dataclass(frozen=True)
class Fitted(FitResult):
    """One model that was trained, with ways to see how."""

    @property
    def summary(self) -> str:
        """How it ended, losses and metrics by split, the confusion matrix, and two lines that load the weights."""
        return fit_summary.summary(self)

    def table(self) -> None:
        """Print the summary."""
        print(self.summary)

    def plot(self, path: str | Path) -> Path:
        """Draw the loss curves as PNG, PDF or SVG, by the path's ending."""
        return fit_figure.save_fit(self, path)


def fit(
    problem: str | Problem,
    optimizer: Any = "adam",
    *,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    schedule: Any = "constant",
    factors: Mapping[str, Any] | None = None,
    patience: float | None = None,
    penalise: Any = "weights",
    validation: float | None = None,
    seed: int = 0,
    order: Literal["reshuffle", "fixed"] = "reshuffle",
    evaluate_every: int | None = None,
    losses_every: int | None = None,
    checkpoint_every: int | str | None = None,
    device: str = "cpu",
    threads: int | None = None,
    data_dir: str | Path | None = None,
    store: str | Path | None = None,
    progress: bool | FitWatcher = True,
    command: str | None = None,
) -> Fitted:
    """Train one model with one optimizer; interrupted at any moment, the same call goes on, bit for bit.

    `problem` is a built-in name (`digits`, `mnist:hidden=500`), `file.py:name` or a Problem. `optimizer` is a name with
    values (`adam:lr=0.01`), a rule, or a class of rules or torch optimizers, which stand for their defaults. The length
    is the problem's own, or 10 epochs, unless `epochs` or `steps` say otherwise; a batch is the problem's own, or 64
    rows, or all where there are fewer.

    `factors` maps factors of the problem (`dropout`) and treatments (`l1`, `l2`, `clip_norm`, ...) to values.
    `patience` stops the training after so many epochs without a lower validation loss, and restores the best weights;
    otherwise the model has the last. `schedule` is text such as `cosine:warmup=0.1`, or a Schedule. `losses_every`
    keeps the mini-batch loss of every so many-th step in the curve's `losses`.

    `store` is a folder: one that holds this training already is continued, or reported if it had ended; the default is
    a new folder under `runs/`. A checkpoint to go on from is written there every `checkpoint_every`: so many steps, or
    a time such as "5min" (default: every 30 s, and at epoch ends where that costs little).

    Divergence is a result: `outcome` names the step and the cause. Raises InputError for bad input before anything is
    trained, and for a folder whose code or data changed since.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> fitted = fit("digits", "adam:lr=0.01", epochs=1, threads=1, store=folder.name, progress=False)
    >>> str(fitted.outcome.ending), tuple(fitted.confusion.shape)
    ('finished', (10, 10))
    >>> fitted.metrics["test"]["accuracy"] > 0.5
    True
    >>> folder.cleanup()
    """
    cadence = Cadence.parse(checkpoint_every)
    data_dir, store = place("data_dir", data_dir), place("store", store)
    check("command", command, str | None, "text")
    check("progress", progress, bool | FitWatcher, "true, false or a watcher")
    given = by_name("factors", {} if factors is None else factors, "{'dropout': 0.5}")
    for name, value in given.items():
        if isinstance(value, list | set | dict):
            raise InputError(
                f"A training takes one value of factor {name}; got {shown(value)}. fl.compare(vary=...) tries several."
            )
    if patience is not None:
        if "patience" in given:
            raise InputError("patience is given twice, by itself and among the factors.")
        given["patience"] = patience
    refuse_unused_penalise(penalise, given)
    found = named(problem, data_dir)
    try:
        study = make_study(
            [found],
            [single(optimizer)],
            factors={name: [value] for name, value in given.items()},
            schedules=[schedule],
            penalise=penalise,
            batch_sizes=None if batch_size is None else [batch_size],
            device=device,
            threads=threads,
            command=command,
            data_dir=None if data_dir is None else str(data_dir.resolve()),
            epochs=default_epochs([found.problem]) if epochs is None and steps is None else epochs,
            steps=steps,
            evaluate_every=evaluate_every,
            losses_every=losses_every,
            seeds=1,
            seed=seed,
            validation=validation,
            order=order,
        )
    except WrongArgument as error:
        raise error.renamed(batch_sizes="batch_size", schedules="schedule") from None
    return _run(study, new_folder(f"{found.name}-fit") if store is None else store, cadence, progress)


def resume_fit(folder: str | Path, *, data_dir: str | Path | None = None, progress: bool | FitWatcher = True) -> Fitted:
    """Continue the training in a folder, or report it if it had ended. Raises InputError where code or data changed."""
    stored = FitFolder(Path(folder)).stored()
    if stored is None:
        raise InputError(f"There is no training in {folder}.")
    study = rebuild(stored.specification, stored.plan, stored.environment, data_dir)
    return _run(study, Path(folder), Cadence.parse(stored.checkpoint_every), progress)


def _run(study: Study, folder: Path, cadence: Cadence, progress: bool | FitWatcher) -> Fitted:
    watcher = default_fit_watcher() if progress is True else None if progress is False else progress
    return Fitted(**vars(run(study, folder, cadence, watcher)))

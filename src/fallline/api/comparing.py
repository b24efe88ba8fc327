"""Comparing optimizers: a study from arguments or from a file, run, planned or continued."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fallline.api.arguments import checked_study
from fallline.api.study_results import Results, as_results
from fallline.arguments import check, place
from fallline.fitted import Fitted, resume_fit
from fallline.fitting import is_fit
from fallline.problems import Problem
from fallline.report import default_watcher
from fallline.study import Study, Watcher, read_results, rebuild, run
from fallline.study.defaults import CLASSICAL
from fallline.study.file import read_study_file
from fallline.study.folders import new_folder
from fallline.study.plan import Plan


def compare(
    problem: str | Problem | Sequence[str | Problem],
    optimizers: Sequence[Any] = CLASSICAL,
    *,
    lrs: Sequence[float] | None = None,
    vary: Mapping[str, Sequence[Any]] | None = None,
    schedules: Sequence[Any] | None = None,
    penalise: Any = "weights",
    batch_sizes: Sequence[int] | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    protocol: Literal["full", "sweep"] = "full",
    seeds: int = 3,
    final_seeds: int = 10,
    search: Literal["grid", "random", "sobol", "halton"] = "grid",
    trials: int | None = None,
    tuning_repeats: int = 1,
    extra_trials: int = 0,
    seed: int = 0,
    validation: float | None = None,
    order: Literal["reshuffle", "fixed"] = "reshuffle",
    target: str | None = None,
    evaluate_every: int | None = None,
    losses_every: int | None = None,
    diagnostics: Literal["none", "layers", "all"] = "none",
    speed: bool | None = None,
    store: str | Path | None = None,
    runner: str = "auto",
    device: str = "cpu",
    threads: int | None = None,
    data_dir: str | Path | None = None,
    progress: bool | Watcher = True,
    command: str | None = None,
) -> Results:
    """Tune every optimizer with as many trials, train what was chosen again on fresh seeds, and judge all by these.

    Trainings with the same seed begin with the same weights and see the same batches. First every setting of every
    optimizer is trained on `seeds` seeds; the least median validation loss chooses. Then what was chosen is trained
    again on `final_seeds` seeds that chose nothing, and these alone are reported and judged. With `protocol="sweep"`
    the first is all: a table of what was tried, without a verdict. `search` is how values are tried: a "grid", each
    range being cut into `trials` values (7 by default), or "random" on a logarithmic scale, "sobol" or "halton", each
    optimizer with `trials` settings. With `extra_trials`, where an optimizer did best at an edge of what was tried,
    every optimizer gets so many trials more. `tuning_repeats` repeats search and reruns as a whole, each time on other
    seeds: the verdict then holds for the optimizers with their tuning, and not as tuned once.

    `problem` is a built-in name (`digits`, `mnist:hidden=500`), `file.py:name`, a Problem, or several of them.
    `optimizers` are names, rules, classes of rules or of torch optimizers: an instance is taken as it is, a name
    or class is tuned over its search space; `lrs` are the learning rates that all of them try instead.

    `vary` maps names to values. Hyperparameters of optimizers are tuned; factors of the problem (`dropout`) and
    treatments (`l1`, `l2`, `decoupled_decay`, `gradient_noise`, `clip_value`, `clip_norm`, `clip_global_norm`,
    `average`, `label_smoothing`, `patience`) are compared, and so are `schedules` (`cosine:warmup=0.1`, or objects).
    `penalise` says which parameters penalties act on: "weights", "all", or a function of (name, parameter, module).

    Trainings take `epochs` (or `steps` updates) in batches of `batch_sizes` rows, by default what the problem brings,
    or 10 epochs of 64 rows. `order` is "reshuffle", a new one for every epoch, or "fixed", the first again and again.
    `validation` is the fraction of the training rows that selects (default: a fifth); test data are only reported.
    `target` is a condition such as `test_accuracy>=0.97`, or `test_loss<=sgd` for the median that the optimizer of that
    label ends with: reported are the steps, samples and evaluations to it, and the seconds where `speed` is measured,
    in short runs of each winner alone (by default in a full protocol that has a target). `diagnostics` "layers" records
    norms, update ratios, dead and saturated units at every evaluation, "all" noise scale and sharpness too.
    `evaluate_every` adds evaluations, `losses_every` keeps the mini-batch loss of every so many-th step in each curve's
    `losses`, which costs nothing. `store` is a folder: one that holds this study is continued; the default is a new
    folder under `runs/`.

    `runner` says how members are trained. "loop": one after another in this process, where torch uses `threads`.
    "population": those that share their batches as one program, hundreds for little more than the price of one; with
    "compiled" torch's compiler makes its steps faster, after some seconds. "processes": in as many worker processes as
    `threads`, by default one for each core. "auto" takes a few steps where that can pay, and chooses.

    Raises InputError for bad input before anything is trained.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> results = compare(
    ...     "cubic", ["sgd", "adam"], lrs=[0.01, 0.1], epochs=1, seeds=1, store=folder.name, progress=False
    ... )
    >>> len(results.records)
    24
    >>> folder.cleanup()
    """
    store = place("store", store)
    check("progress", progress, bool | Watcher, "true, false or a watcher")
    study = checked_study(
        problem,
        optimizers,
        lrs=lrs,
        vary=vary,
        schedules=schedules,
        penalise=penalise,
        batch_sizes=batch_sizes,
        epochs=epochs,
        steps=steps,
        protocol=protocol,
        seeds=seeds,
        final_seeds=final_seeds,
        search=search,
        trials=trials,
        tuning_repeats=tuning_repeats,
        extra_trials=extra_trials,
        seed=seed,
        validation=validation,
        order=order,
        target=target,
        evaluate_every=evaluate_every,
        losses_every=losses_every,
        diagnostics=diagnostics,
        speed=speed,
        runner=runner,
        device=device,
        threads=threads,
        data_dir=data_dir,
        command=command,
    )
    return _run(study, new_folder(study.specification.problems[0].name) if store is None else store, progress)


def compare_file(
    path: str | Path,
    *,
    store: str | Path | None = None,
    runner: str = "auto",
    threads: int | None = None,
    data_dir: str | Path | None = None,
    progress: bool | Watcher = True,
    command: str | None = None,
) -> Results:
    """Run the study in a TOML file: the arguments of `compare` that say what is compared, under the same names.

    `problems` and `optimizers` are names, or tables: of a problem `name`, `options` and `target`, of an optimizer
    `name`, `label` and values of hyperparameters, one or a list of each (`lr = [0.01, 0.1]`). Paths in it are seen from
    the file's folder, and "none" stands for None. `fallline export` writes the file of a study. What is said here,
    where the study is kept and how it is trained, is no part of it.

    Raises InputError before anything is trained, with all that is wrong and where: `optimizers.2.lr: ...`.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "study.toml").write_text('''
    ... problems = ["cubic"]
    ... epochs = 1
    ... seeds = 1
    ... [[optimizers]]
    ... name = "momentum"
    ... lr = [0.01, 0.1]
    ... ''')
    >>> len(compare_file(folder / "study.toml", store=folder / "store", progress=False).records)
    12
    """
    store = place("store", store)
    check("progress", progress, bool | Watcher, "true, false or a watcher")
    study = study_of_file(path, runner=runner, threads=threads, data_dir=data_dir, command=command)
    return _run(study, new_folder(study.specification.problems[0].name) if store is None else store, progress)


def study_of_file(path: str | Path, **options: Any) -> Study:
    """The study in a TOML file, with everything checked and planned; `options` are those of `compare_file`."""
    given = read_study_file(place("path", path, none=False), place("data_dir", options.get("data_dir")))
    return _study_of({**given, **options})


def plan(
    problem: str | Problem | Sequence[str | Problem], optimizers: Sequence[Any] = CLASSICAL, **options: Any
) -> Plan:
    """How `compare` would train with these arguments: who together, how, on how many threads, and why. Nothing is
    trained; a few steps are measured where that can pay, and `compare` keeps to what was found.

    >>> plan("cubic", ["sgd", "adam"], epochs=1, seeds=1).reasons[0][:25]
    'one by one: 14 members on'
    """
    return study_of(problem, optimizers, **options).plan


def study_of(
    problem: str | Problem | Sequence[str | Problem], optimizers: Sequence[Any] = CLASSICAL, **options: Any
) -> Study:
    """The study of these arguments of `compare`, with everything checked and planned; nothing is trained."""
    return _study_of({"problem": problem, "optimizers": optimizers, **options})


def resume(
    folder: str | Path, *, data_dir: str | Path | None = None, progress: bool | Watcher = True
) -> Results | Fitted:
    """Continue the study in a folder: train what is missing; every curve is as if nothing had happened.

    In the folder of `fit` its training is continued. Raises InputError where code or data changed since it began.
    """
    folder = place("folder", folder, none=False)
    check("progress", progress, bool | Watcher, "true, false or a watcher")
    if is_fit(folder):
        return resume_fit(folder, data_dir=data_dir, progress=bool(progress))
    stored = read_results(folder)
    return _run(
        rebuild(stored.specification, stored.plan, stored.environment, place("data_dir", data_dir)), folder, progress
    )


def _study_of(given: Mapping[str, Any]) -> Study:
    """The study of some arguments of `compare`, with its defaults for the others."""
    bound = inspect.signature(compare).bind(**given)
    bound.apply_defaults()
    return checked_study(
        **{name: value for name, value in bound.arguments.items() if name not in ("store", "progress")}
    )


def _run(study: Study, folder: Path, progress: bool | Watcher) -> Results:
    watcher = default_watcher() if progress is True else None if progress is False else progress
    records = run(study, folder, watcher)
    stored = read_results(folder)
    return as_results(replace(stored, records=tuple(records), folder=folder), study)

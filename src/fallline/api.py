"""What `import fallline as fl` offers: compare, plan, resume, results, lr_find, and what they give back."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from fallline.arguments import by_name, check, place, whole
from fallline.errors import InputError, WrongArgument, shown
from fallline.fitted import Fitted, resume_fit
from fallline.fitting import is_fit
from fallline.problems import Problem, initial_model
from fallline.protocol import TRIALS
from fallline.report import default_watcher, figures, page, tables
from fallline.report.export import export
from fallline.study import (
    Contender,
    Row,
    Study,
    StudyResults,
    Watcher,
    advice,
    contender,
    make_study,
    named,
    rates,
    read_results,
    rebuild,
    run,
)
from fallline.study.conditions import known_factors, undeclared_hint
from fallline.study.defaults import CLASSICAL, default_epochs
from fallline.study.entries import OptimizerEntry
from fallline.study.file import read_study_file
from fallline.study.folders import new_folder
from fallline.study.merging import merge
from fallline.study.plan import Plan
from fallline.study.unused import refuse_unused_penalise, refuse_unused_rates, refuse_unused_values
from fallline.study.weights import load_weights
from fallline.suggestions import unknown
from fallline.training.rate_search import FoundRate, check_search, search_rate

VARIED = "{'dropout': [0.0, 0.5]}"


@dataclass(frozen=True)
class Results(StudyResults):
    """The results of a study, with ways to see them."""

    study: Study | None = None

    def __repr__(self) -> str:
        ended, members = len(self.records), self.planned
        winners = [
            row for i, row in enumerate(self.ranking) if row.problem not in {r.problem for r in self.ranking[:i]}
        ]
        told = [f"best on {row.problem} {_told(row)}" for row in winners]
        return f"<Results in {self.folder}: {'; '.join([f'{ended} of {members} members', *told])}>"

    def table(self) -> None:
        """Print the ranking, best first."""
        tables.print_ranking(self)

    def plot(self, path: str | Path) -> Path:
        """Draw every optimizer's curves at its best values as PNG, PDF or SVG, by the path's ending."""
        return figures.save_curves(self, place("path", path, none=False))

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report: one HTML file that opens without a network; `report.html` in the store by default."""
        return page.write(self, place("path", path) or self.folder / "report.html")

    def export(self, folder: str | Path | None = None, *, overwrite: bool = False) -> list[Path]:
        """Write members and curves as CSV and the study file into a folder, `export` in the store by default.

        Files that are there already are an InputError, or replaced with `overwrite`.
        """
        return export(self, place("folder", folder) or self.folder / "export", overwrite)

    def next_command(self) -> str | None:
        """A command that looks closer: the best two optimizers around their best rates, with more seeds."""
        return advice.next_command(self)

    def best(self, problem: str | None = None) -> "Best":
        """The winner, of the first problem or of the one named."""
        rows = [row for row in self.ranking if problem in (None, row.problem)]
        if not rows:
            raise InputError(unknown(str(problem), {row.problem for row in self.ranking}, "problem of this study"))
        return Best(self, rows[0])


@dataclass(frozen=True)
class Best:
    """The optimizer that did best on validation data, at the values that were found."""

    results: Results
    row: Row

    @property
    def optimizer(self) -> str:
        """Its label."""
        return self.row.optimizer

    @property
    def hyperparameters(self) -> Mapping[str, Any]:
        """All its hyperparameters."""
        return self.row.hyperparameters

    @property
    def code(self) -> str:
        """The line that makes it in one's own script."""
        return self.results.paste_line(self.row)

    def model(self) -> nn.Module:
        """The trained model of its best seed, in evaluation mode."""
        study = self.results.study or rebuild(self.results.specification, self.results.plan, self.results.environment)
        record = self.row.best_record
        model = initial_model(study.problems[self.row.problem], 0, record["seed"], record["factors"])
        weights = load_weights(self.results.folder, record.key)
        model.load_state_dict({**model.state_dict(), **weights})
        return model.eval()


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
    4
    >>> folder.cleanup()
    """
    store = place("store", store)
    check("progress", progress, bool | Watcher, "true, false or a watcher")
    study = _study(
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
    2
    """
    store = place("store", store)
    check("progress", progress, bool | Watcher, "true, false or a watcher")
    study = study_of_file(path, runner=runner, threads=threads, data_dir=data_dir, command=command)
    return _run(study, new_folder(study.specification.problems[0].name) if store is None else store, progress)


def study_of_file(path: str | Path, **options: Any) -> Study:
    """The study in a TOML file, with everything checked and planned; `options` are those of `compare_file`."""
    given = read_study_file(place("path", path, none=False), place("data_dir", options.get("data_dir")))
    return _study_of({**given, **options})


def _study_of(given: Mapping[str, Any]) -> Study:
    """The study of some arguments of `compare`, with its defaults for the others."""
    bound = inspect.signature(compare).bind(**given)
    bound.apply_defaults()
    return _study(**{name: value for name, value in bound.arguments.items() if name not in ("store", "progress")})


def plan(
    problem: str | Problem | Sequence[str | Problem], optimizers: Sequence[Any] = CLASSICAL, **options: Any
) -> Plan:
    """How `compare` would train with these arguments: who together, how, on how many threads, and why. Nothing is
    trained; a few steps are measured where that can pay, and `compare` keeps to what was found.

    >>> plan("cubic", ["sgd", "adam"], epochs=1, seeds=1).reasons[0][:25]
    'one by one: 14 members on'
    """
    return _study_of({"problem": problem, "optimizers": optimizers, **options}).plan


def _study(
    problem: str | Problem | Sequence[str | Problem],
    optimizers: Sequence[Any],
    *,
    lrs: Any,
    vary: Mapping[str, Sequence[Any]] | None,
    schedules: Sequence[Any] | None,
    batch_sizes: Sequence[int] | None,
    epochs: int | None,
    steps: int | None,
    penalise: Any,
    trials: int | None,
    data_dir: str | Path | None,
    command: str | None,
    **rest: Any,
) -> Study:
    """The study that the arguments of `compare` ask for, everything checked."""
    data_dir = place("data_dir", data_dir)
    check("command", command, str | None, "text")
    problems = [named(one, data_dir) for one in _several(problem)]
    factors_known = sorted(known_factors([p.problem for p in problems]))
    factors, varied = _split(
        {name: _several(values) for name, values in by_name("vary", {} if vary is None else vary, VARIED).items()},
        factors_known,
    )
    rates = None if lrs is None else _several(lrs)
    trials = TRIALS if trials is None else trials
    whole("trials", trials, 2)
    contenders = [
        one.contender(rates, varied, trials)
        if isinstance(one, OptimizerEntry)
        else contender(one, rates, varied, trials=trials)
        for one in _several(optimizers)
    ]
    _check_varied(varied, contenders, [p.problem for p in problems])
    refuse_unused_values(contenders, varied)
    refuse_unused_penalise(penalise, factors)
    if rates is not None:
        refuse_unused_rates(contenders, varied)
    return make_study(
        problems,
        contenders,
        factors=factors,
        schedules=("constant",) if schedules is None else _several(schedules),
        penalise=penalise,
        batch_sizes=None if batch_sizes is None else _several(batch_sizes),
        trials=trials,
        command=command,
        data_dir=None if data_dir is None else str(data_dir.resolve()),
        epochs=default_epochs([p.problem for p in problems]) if epochs is None and steps is None else epochs,
        steps=steps,
        **rest,
    )


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


def results(folder: str | Path) -> Results:
    """The results in a study's folder, finished or not."""
    stored = read_results(place("folder", folder, none=False))
    return _of(stored)


def merged(folders: Sequence[str | Path]) -> Results:
    """The results of several studies as those of one, for its table, pictures and report; nothing is trained.

    They may differ in optimizers, factors, schedules and batch sizes. Raises InputError where anything else differs,
    data, metrics and initial weights included, for then what is compared had no equal chances. The folder of the result
    is that of the first; trained models are had from the studies themselves.
    """
    found = [results(folder) for folder in _several(folders)]
    if repeated := [one.folder for i, one in enumerate(found) if one.folder in {two.folder for two in found[:i]}]:
        raise InputError(f"{repeated[0]} is named twice.")
    return _of(merge(found, found[0].folder))


@dataclass(frozen=True)
class RateSearch(FoundRate):
    """What `lr_find` found, with a way to see it."""

    def plot(self, path: str | Path) -> Path:
        """Draw the ramp and the fan as PNG, PDF or SVG, by the path's ending."""
        return figures.save_rates(self, path)


def lr_find(
    problem: str | Problem | nn.Module,
    optimizer: Any = "adam",
    *,
    loss: Callable[..., Any] | None = None,
    data: Any = None,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 200,
    batch_size: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    threads: int | None = None,
    data_dir: str | Path | None = None,
    say: Callable[[str], None] | None = None,
) -> RateSearch:
    """Look for a learning rate from `low` to `high`: a ramp, then trainings of `steps` updates at several rates.

    `problem` is a name or a Problem, and `optimizer` a name (`momentum:momentum=0.95`), a rule or a class, whose rate
    is left open. Or they are a model and a live torch optimizer, with `loss` and `data` as a Problem takes them
    (tensors, a Dataset or a DataLoader): model, optimizer and generators are put back bit for bit, also after an error
    or Ctrl-C. `say` is told in words how the search gets on.

    Suggests nothing where nothing can be said, with the reason. Raises InputError for bad input.

    >>> found = lr_find("linear", "sgd", steps=50)
    >>> 0.01 < found.suggestion < 1
    True
    """
    check_search(low, high, steps)
    whole("seed", seed, 0)
    check("say", say, Callable | None, "a function of one text")
    data_dir = place("data_dir", data_dir)
    if isinstance(problem, nn.Module):
        for name, asked in {"device": device != "cpu", "data_dir": data_dir is not None}.items():
            if asked:
                raise WrongArgument((name, " goes with a problem; a model is searched where it is, on its own data"))
        training = rates.of_model(problem, optimizer, loss, data, batch_size, seed)
    else:
        for name, value in {"loss": loss, "data": data}.items():
            if value is not None:
                raise WrongArgument((name, f" goes with a model and its optimizer; {shown(problem)} brings its own"))
        training = rates.of_problem(named(problem, data_dir), optimizer, low, batch_size, seed, device)
    before = torch.get_num_threads()
    own_loop = isinstance(problem, nn.Module) and threads is None
    try:
        torch.set_num_threads(before if own_loop else rates.threads_for(training, steps, threads))
        return RateSearch(**vars(search_rate(training, low, high, steps, say)))
    finally:
        torch.set_num_threads(before)


def _run(study: Study, folder: Path, progress: bool | Watcher) -> Results:
    watcher = default_watcher() if progress is True else None if progress is False else progress
    records = run(study, folder, watcher)
    stored = read_results(folder)
    return _of(replace(stored, records=tuple(records), folder=folder), study)


def _of(found: StudyResults, study: Study | None = None) -> Results:
    """Results with ways to see them."""
    return Results(**{field.name: getattr(found, field.name) for field in fields(StudyResults)}, study=study)


def _told(row: Row) -> str:
    """A row's optimizer with its rate, and what it was chosen by."""
    rate = f" (lr={row.hyperparameters['lr']:g})" if "lr" in row.hyperparameters else ""
    return f"{row.optimizer}{rate}, {row.selected_on.replace('_', ' ')} {row.score:.4g}"


def _several(given: Any) -> list[Any]:
    """One thing, or several: text, a number, a problem and a rule are one."""
    several = isinstance(given, Iterable) and not isinstance(given, str | Mapping | Problem | type)
    return list(given) if several else [given]


def _split(
    vary: Mapping[str, Sequence[Any]], factors: Iterable[str]
) -> tuple[dict[str, Sequence[Any]], dict[str, Sequence[Any]]]:
    known = set(factors)
    return (
        {name: values for name, values in vary.items() if name in known},
        {name: values for name, values in vary.items() if name not in known},
    )


def _check_varied(
    varied: Mapping[str, Sequence[Any]], contenders: Sequence[Contender], problems: Sequence[Problem]
) -> None:
    for name in varied:
        if not any(name in c.grid or f"l2.{name}" in c.grid for c in contenders):
            known = [
                *sorted(known_factors(problems)),
                *sorted({field for c in contenders for field in c.hyperparameters}),
            ]
            what = "factor of the problem or hyperparameter of an optimizer"
            raise InputError(unknown(name, known, what) + undeclared_hint(problems, name))

"""The results of a study, with ways to see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from torch import nn

from fallline.api.arguments import several
from fallline.arguments import place
from fallline.errors import InputError
from fallline.problems import initial_model
from fallline.report import figures, page, tables
from fallline.report.export import export
from fallline.study import Row, Study, StudyResults, advice, read_results, rebuild
from fallline.study.merging import merge
from fallline.study.weights import load_weights
from fallline.suggestions import unknown


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


def as_results(found: StudyResults, study: Study | None = None) -> Results:
    """Results with ways to see them."""
    return Results(**{field.name: getattr(found, field.name) for field in fields(StudyResults)}, study=study)


def results(folder: str | Path) -> Results:
    """The results in a study's folder, finished or not."""
    stored = read_results(place("folder", folder, none=False))
    return as_results(stored)


def merged(folders: Sequence[str | Path]) -> Results:
    """The results of several studies as those of one, for its table, pictures and report; nothing is trained.

    They may differ in optimizers, factors, schedules and batch sizes. Raises InputError where anything else differs,
    data, metrics and initial weights included, for then what is compared had no equal chances. The folder of the result
    is that of the first; trained models are had from the studies themselves.
    """
    found = [results(folder) for folder in several(folders)]
    if repeated := [one.folder for i, one in enumerate(found) if one.folder in {two.folder for two in found[:i]}]:
        raise InputError(f"{repeated[0]} is named twice.")
    return as_results(merge(found, found[0].folder))


def _told(row: Row) -> str:
    """A row's optimizer with its rate, and what it was chosen by."""
    rate = f" (lr={row.hyperparameters['lr']:g})" if "lr" in row.hyperparameters else ""
    return f"{row.optimizer}{rate}, {row.selected_on.replace('_', ' ')} {row.score:.4g}"

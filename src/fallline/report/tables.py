"""The ranking of a study as a table for the terminal."""

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fallline.study import StudyResults


def print_ranking(results: StudyResults, console: Console | None = None) -> None:
    """Print the ranking, best first."""
    console = console or Console()
    table = Table("problem", "optimizer", "values", "loss")
    for row in results.ranking:
        values = ", ".join(f"{name}={value:.3g}" for name, value in row.tuned.items() if isinstance(value, float))
        table.add_row(Text(row.problem), Text(row.optimizer), Text(values), f"{row.score:.3g}")
    console.print(table)


def ranking_text(results: StudyResults, width: int = 100) -> str:
    """The ranking as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_ranking(results, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()

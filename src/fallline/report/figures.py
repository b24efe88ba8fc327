"""Still figures of a study."""

import io
from pathlib import Path

from fallline.study import StudyResults
from fallline.study.store import write_whole


def save_curves(results: StudyResults, path: str | Path) -> Path:
    """Draw every optimizer's loss curves at its best values."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6))
    axes = figure.add_subplot()
    for row in results.ranking:
        for run in row.winners:
            axes.plot(run.curve["step"], run.curve[row.selected_on])
    out = io.BytesIO()
    figure.savefig(out, format=Path(path).suffix.removeprefix(".") or "png")
    write_whole(Path(path), out.getvalue())
    return Path(path)

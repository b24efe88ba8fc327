"""The report of a study: one HTML file."""

import html
from pathlib import Path

from fallline.report.tables import ranking_text
from fallline.study import StudyResults
from fallline.study.store import write_whole


def write(results: StudyResults, path: str | Path) -> Path:
    """Write the report as one file that opens without a network."""
    write_whole(Path(path), f"<!doctype html><pre>{html.escape(ranking_text(results))}</pre>".encode())
    return Path(path)

"""The tables of the page: every cell has its heading with it, so that a phone can stack the cells of a row."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its heading, its text, and a second text that is set apart (an interval)."""

    heading: str
    text: str
    more: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Entry:
    """One row of a table: what it is about (an optimizer), in which colour, and its cells."""

    optimizer: str
    color: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class ChartTable:
    """The numbers of one chart, for print and for those who cannot see it."""

    title: str
    entries: tuple[Entry, ...]

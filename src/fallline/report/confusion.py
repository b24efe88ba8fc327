"""A confusion matrix in a terminal: the whole of it where it fits, else the pairs that are confused most."""

from torch import Tensor

from fallline.report.words import counted

PAIRS = 5


def confusion_text(matrix: Tensor, on: str, width: int = 80) -> str:
    """Rows are true classes, columns predicted ones; a point stands for 0 beside the diagonal. Where it is wider
    than `width` characters, the most confused pairs are named in its place.

    >>> import torch
    >>> print(confusion_text(torch.tensor([[9, 1], [0, 10]]), "test"))
    Confusion on test data: 19 of 20 right. Rows: true class; columns: predicted.
    <BLANKLINE>
            0   1   right
       0    9   1    90 %
       1    .  10   100 %
    """
    rows: list[list[int]] = matrix.tolist()
    right, total = sum(row[i] for i, row in enumerate(rows)), sum(map(sum, rows))
    head = f"Confusion on {on} data: {right:,} of {total:,} right."
    digits = max(len(str(max(map(max, rows)))), len(str(len(rows) - 1)))
    label = max(4, len(str(len(rows) - 1)) + 3)
    cell = next((digits + gap for gap in (2, 1) if label + 1 + (digits + gap) * len(rows) + 8 <= width), None)
    if cell is None:
        return "\n".join([f"{head} Most confused of {len(rows)} classes:", *_pairs(rows)])
    lines = [" " * (label + 1) + "".join(f"{i:{cell}}" for i in range(len(rows))) + "   right"]
    for i, row in enumerate(rows):
        cells = "".join(f"{'.' if count == 0 and i != j else count:>{cell}}" for j, count in enumerate(row))
        lines.append(f"{i:{label}} {cells}{_share(row[i], sum(row))}")
    return "\n".join([f"{head} Rows: true class; columns: predicted.", "", *lines])


def _share(part: int, whole: int) -> str:
    return f"{part / whole:8.0%}".replace("%", " %").removeprefix(" ") if whole else f"{'-':>8}"


def _pairs(rows: list[list[int]]) -> list[str]:
    confused = [(count, i, j) for i, row in enumerate(rows) for j, count in enumerate(row) if i != j and count]
    confused.sort(key=lambda pair: (-pair[0], *pair[1:]))
    lines = [f"  {i} taken for {j}: {counted(count, 'time')} of {sum(rows[i])}" for count, i, j in confused[:PAIRS]]
    return lines or ["  none"]

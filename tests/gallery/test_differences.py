"""The page on where tutorials and torch differ holds the rows that the gallery checks."""

from pathlib import Path

import pytest

from fallline.gallery.differences import DIFFERENCES, table
from fallline.gallery.entry import Setting
from fallline.gallery.inspected import Studies

PAGE = Path(__file__).parents[2] / "docs" / "tutorials-and-torch.md"


def test_the_page_holds_the_table():
    assert f"\n\n{table()}\n\n" in PAGE.read_text(), "write fallline.gallery.differences.table() into the page"


def test_every_row_says_four_things_in_one_line():
    for row in DIFFERENCES:
        cells = (row.subject, row.tutorials, row.torch, row.follows)
        assert all(cell and "|" not in cell and "\n" not in cell for cell in cells), row.subject
    assert len({row.subject for row in DIFFERENCES}) == len(DIFFERENCES)


@pytest.mark.parametrize(
    ("subject", "where", "name", "value"),
    [
        ("Adagrad's default rate", "torch.optim.Adagrad.__init__", "lr", 0.001),
        ("RMSprop's default rate", "torch.optim.RMSprop.__init__", "lr", 0.001),
        ("Adam's default betas", "torch.optim.Adam.__init__", "betas", (0.9, 0.99)),
    ],
)
def test_a_row_notices_another_torch(subject, where, name, value, monkeypatch, tmp_path):
    import inspect

    import torch

    row = next(row for row in DIFFERENCES if row.subject == subject)
    studies = Studies(Setting(tmp_path))
    assert row.check(studies).passed
    optimizer = getattr(torch.optim, where.split(".")[2])
    signature = inspect.signature(optimizer)
    other = [p.replace(default=value) if p.name == name else p for p in signature.parameters.values()]
    monkeypatch.setattr(optimizer, "__signature__", signature.replace(parameters=other), raising=False)
    assert not row.check(studies).passed

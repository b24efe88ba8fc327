"""The tables of docs/benchmarks.md say what was measured, and every difference has a reason."""

import json

import pytest

from tests.scripts import ROOT, loaded


def built():
    return loaded("scripts/build_benchmarks.py")


@pytest.fixture
def document():
    return json.loads((ROOT / "benchmarks" / "results" / "pytorch_optimizer.json").read_text())


def test_the_page_holds_the_measured_tables(document):
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert built().filled(page, document) == page
    assert all(f"| {name} |" in page for name in document["rules"])


def test_another_figure_changes_the_page(document):
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    document["rules"]["Lion"]["speed"]["mlp"]["theirs_over_auto"] += 1
    assert built().filled(page, document) != page


def test_every_difference_has_a_reason_and_is_settled_where_settings_can(document):
    for name, row in document["rules"].items():
        assert row["difference"] < document["agree_below"] or row["reason"], name
        assert row.get("settled_difference", row["difference"]) < document["agree_below"], name


def test_the_page_on_the_method_says_how_often_a_verdict_is_wrong():
    found = json.loads((ROOT / "benchmarks" / "results" / "calibration.json").read_text())["found"]
    page = " ".join((ROOT / "docs" / "method.md").read_text().split())
    for name in ("search repeated 10 times", "one search", "one search, flat bowl", "one search, steep bowl"):
        assert f"{100 * found[f'two copies, {name}']['share']:.1f} %" in page
    assert all(row["low"] <= 0.05 for name, row in found.items() if "repeated" in name and "coverage" not in name)
    assert all(row["low"] <= row["level"] <= row["high"] for row in found.values() if "level" in row)

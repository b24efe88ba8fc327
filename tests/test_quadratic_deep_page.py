"""The page on quadratic-deep says what was measured."""

import json

import pytest

from tests.scripts import loaded


@pytest.fixture
def benchmark():
    return loaded("benchmarks/quadratic_deep.py")


@pytest.fixture
def document(benchmark):
    return json.loads(benchmark.RESULTS.read_text())


def test_the_page_holds_what_was_found(benchmark, document):
    page = benchmark.PAGE.read_text()
    assert benchmark.filled(page, document) == page
    document["studies"][0]["best"]["Adam"]["test_loss"][0] += 10
    assert benchmark.filled(page, document) != page


def test_the_study_is_the_one_that_is_described(document):
    assert [found["order"] for found in document["studies"]] == ["fixed", "reshuffle"]
    for found in document["studies"]:
        assert found["members"] == 3 * 36 * 3 + 3 * 10
        for title, best in found["best"].items():
            assert len(best["test_loss"]) == 10
            assert len(found["search"][title]["lr"]) == 36
            assert best["lr"] in found["search"][title]["lr"]
            assert not best["edges"]


def test_the_finding_is_that_of_the_verdicts(document):
    fixed, new = (
        {(c["first"], c["second"]): c["differs"] for c in f["verdict"]["comparisons"]} for f in document["studies"]
    )
    assert fixed["Momentum 0.99", "Adam"]
    assert not new.get(("Momentum 0.99", "Adam"), False)
    assert not new.get(("Adam", "Momentum 0.99"), False)
    for found in (fixed, new):
        assert found["Momentum 0.99", "SGD"]
        assert found["Adam", "SGD"]

"""What a study reports does not depend on the order in which its members ended."""

import random
from dataclasses import replace

from tests.study.studies import compare, line


def test_results_are_the_same_in_whatever_order_members_ended(tmp_path):
    # All diverge, so that whatever is first wins all ties.
    given = {"lrs": [1e6, 1e7, 1e8], "batch_sizes": [4, 8]}
    results = compare(tmp_path, [line(name="first"), line(name="second")], **given)
    assert {record.outcome.diverged for record in results.records} == {True}
    mixed = list(results.records)
    random.Random(0).shuffle(mixed)
    again = replace(results, records=tuple(mixed))
    assert again.records == results.records
    assert [row.problem for row in again.ranking] == ["first"] * 4 + ["second"] * 4
    assert {row.edges for row in again.ranking} == {("lr=1e+06 is the least value tried",)}
    assert again.to_json() == results.to_json()

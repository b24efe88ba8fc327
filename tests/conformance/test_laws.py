"""Every exported rule passes its own proof, against its namesake where it has one."""

import pytest

from fallline.proof.check import check
from fallline.rules import Rule
from tests.conformance.variants import EXPORTED, NAMESAKES, torch_class


@pytest.mark.parametrize("rule", EXPORTED.values(), ids=EXPORTED.keys())
def test_rule_passes_check(rule: type[Rule]) -> None:
    against = torch_class(rule) if rule.__name__ in NAMESAKES else None
    report = check(rule, against, steps=10)
    assert [finding for finding in report.findings if not finding.passed] == []
    assert len(report.findings) == (8 if against else 6)
    assert set(report.step_microseconds) == {"reference", "foreach"}

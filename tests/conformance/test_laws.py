"""Every exported rule passes its own proof, against its namesake where it has one; every wrapper passes around some."""

import pytest

from fallline.proof.check import check
from fallline.rules import SGD, Adam, Rule
from fallline.wrappers import Clip, Wrapper
from tests.conformance.variants import EXPORTED, NAMESAKES, WRAPPERS, fullest, torch_class


@pytest.mark.parametrize("rule", EXPORTED.values(), ids=EXPORTED.keys())
def test_rule_passes_check(rule: type[Rule]) -> None:
    against = torch_class(rule) if rule.__name__ in NAMESAKES else None
    report = check(rule, against, steps=10)
    assert [finding for finding in report.findings if not finding.passed] == []
    assert len(report.findings) == (8 if against else 6)
    assert set(report.step_microseconds) == {"reference", "foreach"}


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS.keys())
def test_wrapped_rule_passes_check(wrapper: type[Wrapper]) -> None:
    (wrapped,) = fullest(wrapper, SGD())
    assert [finding for finding in check(wrapped).findings if not finding.passed] == []


def test_rule_with_all_gradients_clipped_together_passes_check() -> None:
    assert [finding for finding in check(Clip(Adam(), global_norm=1.0)).findings if not finding.passed] == []

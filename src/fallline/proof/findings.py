"""What a proof found: findings and their report."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fallline.errors import FalllineError


class Broken(Exception):
    """A law does not hold; the message says where and how."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, whether it holds, and the numbers or the fault in one line."""

    what: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Report:
    """All findings about a rule, and the median microseconds of a step by executor on the stated tensors."""

    rule: str
    against: str | None
    findings: list[Finding]
    timed_on: str = ""
    step_microseconds: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every finding holds."""
        return all(finding.passed for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as plain values, ready for `json.dumps`."""
        return {
            "rule": self.rule,
            "against": self.against,
            "passed": self.passed,
            "findings": [vars(finding) for finding in self.findings],
            "timed_on": self.timed_on,
            "step_microseconds": self.step_microseconds,
        }


def one_line(error: BaseException) -> str:
    """An error's type and what it says: our own message whole, of another's the first sentence."""
    first_line = str(error).strip().partition("\n")[0]
    message = first_line if isinstance(error, FalllineError) else first_line.partition(". ")[0][:200]
    return f"{type(error).__name__}: {message.rstrip('.')}" if message else type(error).__name__


def relative_difference(a: Tensor, b: Tensor) -> float:
    """max|a - b| / max|b|; infinite where the shapes differ or NaN does not meet NaN."""
    if a.shape != b.shape:
        return math.inf
    a, b = a.double(), b.double()
    if torch.equal(a, b) or a.numel() == 0:
        return 0.0
    apart = torch.where((a == b) | (a.isnan() & b.isnan()), torch.zeros_like(a), (a - b).abs()).max().item()
    if apart == 0.0:
        return 0.0
    scale = b.abs().max().item()
    return apart / scale if math.isfinite(apart) and 0.0 < scale < math.inf else math.inf

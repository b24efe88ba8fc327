"""The proof of a rule: the four laws, every executor, and torch's own optimizer."""

from fallline.proof.check import check as check
from fallline.proof.findings import Finding as Finding
from fallline.proof.findings import Report as Report

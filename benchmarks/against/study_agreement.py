"""Whether the sides of a study trained the same: their losses beside torch's loop, batch by batch."""

from pathlib import Path
from typing import Any

import numpy as np

ALIKE = 1e-4
"""Relative difference of losses up to which two sides trained the same."""


def agreement(torchs: Path, others: dict[str, Path]) -> dict[str, Any]:
    """By program: how many of torch's trainings are stable, and how far the other sides are from these.

    Stable are those of which neither one ulp more in the initial weights nor a slightly larger rate moves the losses
    further than ALIKE. Differences are the largest of a training's losses over its largest loss; behind a divergence
    nothing is compared.
    """
    theirs = np.load(torchs)
    found: dict[str, Any] = {}
    for what in {name.rpartition("/")[0]: None for name in theirs}:
        numbers, losses = theirs[f"{what}/members"], theirs[f"{what}/losses"]
        stable = np.all([_difference(moved, losses) < ALIKE for moved in theirs[f"{what}/moved"]], axis=0)
        row: dict[str, Any] = {"trained": len(numbers), "stable": int(stable.sum()), "alike_below": ALIKE, "sides": {}}
        for side, path in others.items():
            saved = np.load(path)
            place = {int(number): i for i, number in enumerate(saved[f"{what}/members"])}
            both = [i for i, number in enumerate(numbers) if stable[i] and int(number) in place]
            rows = [place[int(numbers[i])] for i in both]
            differences = _difference(saved[f"{what}/losses"][rows], losses[both])
            if both:
                row["sides"][side] = {
                    "compared": len(both),
                    "alike": int((differences < ALIKE).sum()),
                    "median": float(np.median(differences)),
                    "largest": float(differences.max()),
                }
        found[what] = row
    return found


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Infinite for a training that is not finite on the second side."""
    finite = np.isfinite(b).all(axis=1)
    found = np.full(len(b), np.inf)
    found[finite] = np.nanmax(np.abs(a[finite] - b[finite]), axis=1) / np.abs(b[finite]).max(axis=1)
    return found

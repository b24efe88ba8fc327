import math

import numpy as np
import pytest
from matplotlib.image import imread

from fallline.errors import InputError
from fallline.report.colors import PALETTE
from fallline.report.figures import save_rates
from fallline.training.fan import Trial
from fallline.training.ramp import Ramp
from fallline.training.rate_search import FoundRate

RAMP = Ramp((1e-3, 1e-2, 1e-1, 1.0), (2.0, 1.5, 0.5, math.inf), (2.0, 1.7, 1.0, math.inf))
TRIALS = (Trial(0.01, 1.0, False), Trial(0.1, 0.5, False), Trial(1.0, math.nan, True))
FOUND = FoundRate("digits", "adam", 0.1, "After 5 steps it fell.", RAMP, TRIALS, 5, 2.0)
DECLINED = FoundRate("digits", "adam", None, "Too little data. " * 15, Ramp.none())
ALL_DIVERGED = FoundRate("digits", "adam", None, "Every one diverged.", RAMP, TRIALS[2:], 5, 2.0)


def shows(picture, color):
    wanted = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return (np.abs(picture[..., :3] - wanted).max(axis=-1) < 0.02).sum()


@pytest.mark.parametrize("found", [FOUND, DECLINED, ALL_DIVERGED], ids=["found", "declined", "all diverged"])
def test_what_was_found_is_drawn(found, tmp_path):
    picture = imread(save_rates(found, tmp_path / "rates.png"))
    lines, crosses = shows(picture, PALETTE[0]), shows(picture, PALETTE[1])
    assert (lines > 500) == bool(found.ramp.lr)
    assert (crosses > 20) == any(trial.diverged for trial in found.fan)


def test_the_suggestion_is_marked_in_both_panels(tmp_path):
    without = FoundRate(**{**vars(FOUND), "suggestion": None})
    pictures = [imread(save_rates(found, tmp_path / "rates.png")) for found in (FOUND, without)]
    differing = np.abs(pictures[0][250:, :, :3] - pictures[1][250:, :, :3]).max(axis=-1) > 0.5
    columns = np.flatnonzero(differing.any(axis=0))
    middle = differing.shape[1] // 2
    assert columns.min() < middle < columns.max()


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(InputError, match="rates.doc"):
        save_rates(FOUND, tmp_path / "rates.doc")

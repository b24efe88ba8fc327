import math

import numpy as np
import pytest

from fallline.log_range import LogRange
from fallline.protocol import SEARCHES, trial_settings

RATES = {"lr": LogRange(1e-4, 1.0)}
DRAWN = [search for search in SEARCHES if search != "grid"]


def rates(*arguments, **named):
    return [setting["lr"] for setting in trial_settings(RATES, *arguments, **named)]


def test_a_grid_is_all_combinations_with_ranges_cut():
    space = {"lr": LogRange(0.01, 1.0), "momentum": (0.5, 0.9), "nesterov": (False,)}
    assert trial_settings(space, "grid", 3) == [
        {"lr": lr, "momentum": momentum, "nesterov": False} for lr in (0.01, 0.1, 1.0) for momentum in (0.5, 0.9)
    ]


@pytest.mark.parametrize("search", DRAWN)
def test_draws_are_keyed_by_seed_label_and_repeat(search):
    first = rates(search, 7, 0, "adam", 0)
    assert first == rates(search, 7, 0, "adam", 0)
    others = [rates(search, 7, 1, "adam", 0), rates(search, 7, 0, "sgd", 0), rates(search, 7, 0, "adam", 1)]
    assert not any(set(first) & set(other) for other in others)
    assert rates(search, 5, 0, "adam", 0) == first[:5]


@pytest.mark.parametrize("search", DRAWN)
def test_draws_fill_a_range_evenly_on_a_logarithmic_scale(search):
    shares = sorted(math.log(lr / 1e-4) / math.log(1e4) for lr in rates(search, 512, 0, "adam", 0))
    worst = max(abs(share - (i + 0.5) / 512) for i, share in enumerate(shares))
    assert 0 <= shares[0] <= shares[-1] <= 1
    # Of random numbers the largest deviation is about 1 / sqrt(512); Sobol's and Halton's fill evenly.
    assert worst < (0.08 if search == "random" else 0.01)


@pytest.mark.parametrize("search", DRAWN)
def test_lists_are_drawn_by_index_each_setting_once(search):
    space = {"beta": (0.8, 0.9, 0.99), "amsgrad": (False, True), "eps": (1e-8,)}
    found = trial_settings(space, search, 5, 3, "adam")
    assert len({tuple(setting.items()) for setting in found}) == 5
    assert all(setting["beta"] in space["beta"] and setting["eps"] == 1e-8 for setting in found)
    everything = trial_settings(space, search, 6, 3, "adam")
    assert everything == trial_settings(space, "grid")
    assert trial_settings({"lr": (0.1,)}, search, 7) == [{"lr": 0.1}]


def test_the_values_of_random_search_are_known():
    # Drawn from the key by hand: 128 bits of blake2b, Philox, uniform numbers.
    from hashlib import blake2b

    key = int.from_bytes(blake2b(b"3/search of sgd/2/0", digest_size=16).digest(), "little")
    shares = np.random.Generator(np.random.Philox(key=key)).random(4)
    assert rates("random", 4, 3, "sgd", 2) == [float(f"{1e-4 * 1e4**share:.6g}") for share in shares]

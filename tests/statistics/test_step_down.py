"""The family-wise error of the verdict over all pairs, under hypotheses true of all optimizers and of some."""

import math
from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy import stats

from fallline import InputError
from fallline.statistics import seeds_needed, signed_rank_test, step_down
from fallline.statistics.step_down import equal_pairs

ALPHA = 0.05


def test_the_seeds_of_the_design():
    assert [seeds_needed(m) for m in range(2, 13)] == [6, 7, 8, 9, 10, 10, 11, 11, 11, 12, 12]
    assert seeds_needed(2, 0.01) == 8
    assert seeds_needed(2, 1 / 32) == 6


@pytest.mark.parametrize("optimizers", [2, 3, 5, 6])
def test_a_clean_sweep_is_significant_from_the_seeds_needed_on_and_never_before(optimizers):
    pairs = math.comb(optimizers, 2)
    for seeds, significant in ((seeds_needed(optimizers), True), (seeds_needed(optimizers) - 1, False)):
        p = signed_rank_test([float(i + 1) for i in range(seeds)]).p
        assert (step_down([p] + [1.0] * (pairs - 1), optimizers)[0] <= ALPHA) == significant


def test_equal_pairs_are_those_of_all_ways_to_form_groups():
    for m in range(1, 7):
        seen = {sum(a == b for a, b in combinations(groups, 2)) for groups in product(range(m), repeat=m)}
        assert equal_pairs(m) == seen


def test_six_optimizers_by_hand():
    # 15 pairs; after the first at most 10 are equal (five alike), then 7 (four and two), and so on
    found = step_down([0.001 * (i + 1) for i in range(15)], 6)
    counts = [15, 10, 10, 10, 10, 10, 7, 7, 7, 6, 4, 4, 3, 2, 1]
    expected = np.maximum.accumulate([0.001 * (i + 1) * count for i, count in enumerate(counts)])
    assert found == pytest.approx(expected)


def test_the_order_of_pairs_plays_no_part_and_p_stays_below_one():
    assert step_down([0.6, 0.02, 0.5], 3) == pytest.approx([0.6, 0.06, 0.5])
    assert step_down([0.9, 0.8, 0.7], 3).tolist() == [1.0, 1.0, 1.0]


def test_one_p_value_for_each_pair():
    with pytest.raises(InputError, match="one for each of 3 pairs; got 2"):
        step_down([0.1, 0.2], 3)


def p_values(results):
    """The p-values of all pairs, for an array of repetitions x seeds x optimizers without ties."""
    seeds = results.shape[1]
    by_sum = {}
    for signs in product((1.0, -1.0), repeat=seeds):
        values = np.array(signs) * np.arange(1, seeds + 1)
        positive = values[values > 0].sum()
        if positive not in by_sum:
            by_sum[positive] = signed_rank_test(values).p
    table = np.array([by_sum[float(i)] for i in range(seeds * (seeds + 1) // 2 + 1)])
    found = [results[..., a] - results[..., b] for a, b in combinations(range(results.shape[2]), 2)]
    sums = [(stats.rankdata(np.abs(d), axis=1) * (d > 0)).sum(axis=1).round().astype(int) for d in found]
    return np.stack([table[s] for s in sums], axis=1)


def rejections(results):
    m = results.shape[2]
    return np.array([step_down(p, m) <= ALPHA for p in p_values(results)])


def allowed(repetitions):
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / repetitions)


NOISE = {
    "normal": lambda stream, size: stream.normal(size=size),
    "skewed": lambda stream, size: np.exp(1.5 * stream.normal(size=size)),
    "unequal spreads": lambda stream, size: stream.normal(size=size) * 3.0 ** np.arange(size[-1]),
    "shared by the seed": lambda stream, size: stream.normal(size=size) + 5 * stream.normal(size=(*size[:2], 1)),
}


@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
@pytest.mark.parametrize("means", [[0.0] * 6, [0.0, 0.0, 0.0, 4.0, 4.0, 9.0]], ids=["all equal", "some differ"])
def test_six_optimizers_are_falsely_told_apart_in_a_twentieth_of_studies_at_most(noise, means):
    repetitions = 1500
    results = np.array(means) + noise(np.random.default_rng(6), (repetitions, 10, 6))
    true = np.array([a == b for a, b in combinations(means, 2)])
    wrong = rejections(results)[:, true].any(axis=1).mean()
    assert 0 < wrong <= allowed(repetitions)


def test_divergences_and_ties_make_no_false_claims():
    stream, repetitions = np.random.default_rng(7), 250
    results = np.where(
        stream.random((repetitions, 10, 4)) < 0.3, 1e9, np.round(stream.normal(size=(repetitions, 10, 4)), 1)
    )
    wrong = 0
    for study in results:
        p = [signed_rank_test(study[:, a] - study[:, b]).p for a, b in combinations(range(4), 2)]
        wrong += (step_down(p, 4) <= ALPHA).any()
    assert wrong / repetitions <= allowed(repetitions)


def test_flipping_all_pairs_together_would_make_too_many_false_claims():
    """Three equal optimizers whose losses are a random order of 0, 1 and 50 on each of eight seeds."""
    stream, repetitions, seeds = np.random.default_rng(8), 20_000, 8
    orders = np.array(list(permutations([0.0, 1.0, 50.0])))
    results = orders[stream.integers(0, 6, size=(repetitions, seeds))]
    found = np.stack([results[..., a] - results[..., b] for a, b in combinations(range(3), 2)], axis=1)
    scores = np.sign(found) * stats.rankdata(np.abs(found), axis=2)
    scores /= np.sqrt((scores**2).sum(axis=2, keepdims=True))
    flips = np.array([(1.0, *rest) for rest in product((1.0, -1.0), repeat=seeds - 1)])
    largest = np.abs(np.einsum("fs,rps->rpf", flips, scores, optimize=True)).max(axis=1)
    together = ((largest >= largest[:, :1] - 1e-9).mean(axis=1) <= ALPHA).mean()
    assert together > allowed(repetitions)

    rows, places = np.unique(np.sort(found, axis=2).reshape(-1, seeds), axis=0, return_inverse=True)
    p = np.array([signed_rank_test(row).p for row in rows])[places].reshape(repetitions, 3)
    assert np.mean([(step_down(of_study, 3) <= ALPHA).any() for of_study in p]) <= ALPHA

"""The simulated figures of docs/method.md: `python benchmarks/simulated_errors.py` (one to three minutes).

How often intervals cover, beside a percentile bootstrap; how often optimizers are told apart falsely, beside flipping
the signs of all pairs together. Everything is keyed, so that it prints the same every time.
"""

from itertools import combinations, permutations, product

import numpy as np
from scipy import stats

from fallline.statistics import signed_rank_interval, signed_rank_test, step_down
from fallline.statistics.sample import Numbers

ALPHA = 0.05


def coverage(name: str, samples: Numbers, centre: float) -> None:
    found = [signed_rank_interval(sample) for sample in samples]
    covered = np.mean([interval.low <= centre <= interval.high for interval in found])
    print(f"{name}, {samples.shape[1]} seeds, level {found[0].level:.1%}: covered in {covered:.1%}")


def bootstrap(name: str, samples: Numbers, mean: float, stream: np.random.Generator) -> None:
    resampled = stream.integers(0, samples.shape[1], size=(2000, samples.shape[1]))
    low, high = np.quantile(samples[:, resampled].mean(axis=2), [0.025, 0.975], axis=1)
    print(f"bootstrap of the mean, {name}, {samples.shape[1]} seeds: {np.mean((low <= mean) & (mean <= high)):.1%}")


def together(differences: Numbers) -> Numbers:
    """Which pairs step-down max-T tells apart, flipping signs alike for all; from studies x pairs x seeds."""
    scores = np.sign(differences) * stats.rankdata(np.abs(differences), axis=2)
    scores /= np.sqrt((scores**2).sum(axis=2, keepdims=True))
    flips = np.array([(1.0, *rest) for rest in product((1.0, -1.0), repeat=differences.shape[2] - 1)])
    rejected = np.zeros(differences.shape[:2], dtype=bool)
    for study, score in enumerate(scores):
        sums = np.abs(score @ flips.T)
        for pair in np.argsort(-sums[:, 0]):
            largest = sums[~rejected[study]].max(axis=0)
            if (largest >= sums[pair, 0] - 1e-9).mean() > ALPHA:
                break
            rejected[study, pair] = True
    return rejected


def here(differences: Numbers, optimizers: int) -> Numbers:
    """Which pairs the step-down test of fallline tells apart."""
    rows, places = np.unique(
        np.sort(differences, axis=2).reshape(-1, differences.shape[2]), axis=0, return_inverse=True
    )
    p = np.array([signed_rank_test(row).p for row in rows])[places].reshape(differences.shape[:2])
    return np.array([step_down(of_study, optimizers) <= ALPHA for of_study in p])


def all_differences(results: Numbers) -> Numbers:
    pairs = combinations(range(results.shape[2]), 2)
    return np.stack([results[..., a] - results[..., b] for a, b in pairs], axis=1)


def main() -> None:
    stream = np.random.default_rng(0)
    for seeds in (10, 20):
        size = (20_000, seeds)
        coverage("normal", stream.normal(size=size), 0.0)
        coverage("Cauchy", stream.standard_cauchy(size), 0.0)
        coverage("median of exponential", stream.exponential(size=size), float(np.log(2)))
    bootstrap("normal", stream.normal(size=(3000, 10)), 0.0, stream)
    bootstrap("log-normal", np.exp(stream.normal(size=(3000, 10))), float(np.exp(0.5)), stream)

    orders = np.array(list(permutations([0.0, 1.0, 50.0])))
    differences = all_differences(orders[stream.integers(0, 6, size=(60_000, 8))])
    rates = [found.any(axis=1).mean() for found in (together(differences), here(differences, 3))]
    print(f"orders of 0, 1, 50: flipped together {rates[0]:.1%}, here {rates[1]:.1%}")

    size = (6000, 10, 6)
    noises = {
        "normal": lambda: stream.normal(size=size),
        "skewed": lambda: np.exp(1.5 * stream.normal(size=size)),
        "unequal spreads": lambda: stream.normal(size=size) * 3.0 ** np.arange(6),
        "shared by the seed": lambda: stream.normal(size=size) + 5 * stream.normal(size=(*size[:2], 1)),
    }
    for name, noise in noises.items():
        for means in (np.zeros(6), np.array([0.0, 0.0, 0.0, 4.0, 4.0, 9.0])):
            true = np.array([a == b for a, b in combinations(means, 2)])
            rate = here(all_differences(means + noise()), 6)[:, true].any(axis=1).mean()
            print(f"six optimizers, {name}, {'some differ' if means.any() else 'all equal'}: {rate:.1%}")

    for name, means in (
        ("one apart", [1.5, 0, 0, 0, 0, 0]),
        ("two groups", [0, 0, 0, 2, 2, 2]),
        ("a ladder", range(6)),
    ):
        different = np.array([a != b for a, b in combinations(means, 2)])
        for noise in ("normal", "skewed"):
            differences = all_differences(np.array(means) + noises[noise]()[:1000])
            powers = [found[:, different].mean() for found in (together(differences), here(differences, 6))]
            print(f"power, {name}, {noise}: flipped together {powers[0]:.1%}, here {powers[1]:.1%}")


if __name__ == "__main__":
    main()

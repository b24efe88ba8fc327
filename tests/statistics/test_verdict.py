"""The verdict in words and numbers."""

import json
import math

import numpy as np
import pytest

from fallline import InputError
from fallline.statistics import Terms, seeds_needed, verdict

TERMS = Terms("test loss", trials=9)
ADAM = [0.10, 0.12, 0.09, 0.11, 0.13, 0.08, 0.10, 0.11, 0.12, 0.09]
STEPS = [0.001 * i for i in range(10)]


def shifted(by, spread=1.0):
    return [loss + by + spread * step for loss, step in zip(ADAM, STEPS, strict=True)]


def test_a_difference_on_every_seed():
    found = verdict({"Momentum": shifted(0.01), "Adam": ADAM}, TERMS)
    pair = found.comparisons[0]
    assert (pair.first, pair.second, pair.p, pair.adjusted) == ("Adam", "Momentum", 2 / 1024, 2 / 1024)
    # Differences 0.010 to 0.019; of their 55 means the 9th least and largest.
    assert (pair.lead.estimate, pair.lead.low, pair.lead.high) == pytest.approx((0.0145, 0.012, 0.017))
    assert (
        found.words()
        == pair.words()
        == (
            "Adam reaches lower test loss than Momentum: typical difference 0.0145 [0.0120, 0.0170] (level 95.1 %), "
            "Adam ahead on 10 of 10 seeds, p = 0.002, as tuned here with 9 trials each."
        )
    )
    assert found.best == "Adam"
    assert found.unbeaten == ("Adam",)


def test_higher_accuracies_are_better_where_it_is_said():
    accuracies = {name: [1 - loss for loss in losses] for name, losses in {"Adam": ADAM, "SGD": shifted(0.01)}.items()}
    told = verdict(accuracies, Terms("test accuracy", higher_is_better=True)).words()
    assert told == (
        "Adam reaches higher test accuracy than SGD: typical difference 0.0145 [0.0120, 0.0170] (level 95.1 %), "
        "Adam ahead on 10 of 10 seeds, p = 0.002, at the values given."
    )


def test_a_repeated_search_speaks_of_optimizers_with_their_tuning():
    told = verdict({"Adam": ADAM, "SGD": shifted(0.01)}, Terms("test loss", trials=9, search_repeated=True)).words()
    assert "as tuned here" not in told
    assert told.endswith(
        "Adam ahead on 10 of 10 repeats, p = 0.002, each repeat with searches of its own, of 9 trials."
    )


def test_no_evidence_says_what_could_have_been_seen():
    wobble = [0.004, -0.003, 0.002, -0.001, 0.003, -0.004, 0.001, -0.002, 0.005, -0.001]
    other = [loss + step for loss, step in zip(ADAM, wobble, strict=True)]
    found = verdict({"Adam": ADAM, "NAdam": other}, TERMS)
    pair = found.comparisons[0]
    assert not pair.differs
    assert pair.detectable == pytest.approx(1.03 * np.std(wobble, ddof=1), rel=0.01)
    assert pair.words() == (
        "No evidence of a difference in test loss between Adam and NAdam at 10 seeds: typical difference 0.000500 "
        f"[-0.00200, 0.00300] (level 95.1 %), Adam ahead on 5 of 10 seeds, p = {pair.p:.2g}, "
        "as tuned here with 9 trials each. "
        "Only a difference of 0.00314 or more would have been seen in 4 of 5 such studies."
    )


def test_below_the_seeds_needed_there_is_no_verdict():
    six = {f"o{i}": [float(i + seed) for seed in range(9)] for i in range(6)}
    found = verdict(six, TERMS)
    assert found.words() == "9 seeds are too few for a verdict over 15 pairs: 10 are needed."
    assert not found.enough
    assert not any(pair.differs for pair in found.comparisons)
    assert found.comparisons[0].words() == (
        "9 seeds are too few for a verdict over 15 pairs: 10 are needed. o0 and o1: typical difference 1.00 "
        "[1.00, 1.00] (level 96.1 %), o0 ahead on 9 of 9 seeds."
    )
    assert verdict({name: [*losses, 3.0 + i] for i, (name, losses) in enumerate(six.items())}).best == "o0"


def test_one_seed_is_too_few_and_has_no_interval():
    assert verdict({"a": [1.0], "b": [2.0]}).words() == (
        "1 seed is too few for a verdict on a pair: 6 are needed. "
        "a and b: typical difference 1.00, a ahead on 1 of 1 seed."
    )


@pytest.mark.parametrize("optimizers", [2, 3, 4])
def test_no_pair_differs_below_the_seeds_needed_whatever_the_p_values(optimizers):
    few = seeds_needed(optimizers) - 1
    found = verdict({f"o{i}": [float(10 * i + seed**2) for seed in range(few)] for i in range(optimizers)})
    assert min(pair.adjusted for pair in found.comparisons) > found.alpha


def test_significance_alone_is_not_enough_among_many():
    nine_of_ten = [*shifted(0.01)[:9], ADAM[9] - 0.0001]
    others = {f"o{i}": ADAM for i in range(4)}
    pair = verdict({"Adam": ADAM, "SGD": nine_of_ten, **others}, TERMS).between("SGD", "Adam")
    assert pair.p == 4 / 1024
    assert not pair.differs
    assert " p = 0.059 over 15 pairs, " in pair.words()
    assert "Looked at alone it would have p = 0.0039, but it is one of 15 pairs." in pair.words()


def test_over_all_best_or_not_told_apart_or_nothing():
    worse, worst = shifted(0.05), shifted(0.1)
    assert verdict({"SGD": worst, "Adam": ADAM, "Momentum": worse}, TERMS).words() == (
        "Adam reaches lower test loss than each of the 2 others at 10 seeds, as tuned here with 9 trials each."
    )
    near = [loss + (-1) ** seed * 0.001 for seed, loss in enumerate(ADAM)]
    assert verdict({"SGD": worst, "Adam": ADAM, "NAdam": near}, TERMS).words() == (
        "Adam and NAdam are not told apart, and none of the others is shown to reach lower test loss at 10 seeds, "
        "as tuned here with 9 trials each. Beaten by one or more: SGD."
    )
    assert verdict({"Adam": ADAM, "NAdam": near, "AdamW": ADAM}, TERMS).words() == (
        "No evidence of any difference in test loss among Adam, NAdam and AdamW at 10 seeds, "
        "as tuned here with 9 trials each."
    )


def test_one_that_is_beaten_by_none_but_does_not_beat_all():
    # Three seeds lost, with ranks 10 to 12 of 21 against the next optimizer, and 19 to 21 against the one after it.
    first = [1.0 + seed / 100 for seed in range(9)] + [11.0 + seed / 100 for seed in range(9)] + [-10.0, -10.1, -10.2]
    second = [*first[9:18], *first[:9], -10.3, -10.4, -10.5]
    results = {"Adam": [0.0] * 21, "NAdam": first, "SGD": [a + b for a, b in zip(first, second, strict=True)]}
    assert verdict(results, TERMS).words() == (
        "Adam is beaten by none: none of the others is shown to reach lower test loss at 21 seeds, "
        "as tuned here with 9 trials each. Not told apart from it: SGD."
    )


def test_divergences_are_the_worst_result_and_are_said():
    diverging = [*shifted(0.01)[:7], math.nan, math.inf, math.nan]
    found = verdict({"SGD": diverging, "Adam": ADAM}, TERMS).comparisons[0]
    assert found.diverged == (0, 3)
    assert found.paired.mean is None
    assert found.words().endswith(
        "[0.0120, inf] (level 95.1 %), Adam ahead on 10 of 10 seeds, p = 0.002, as tuned here with 9 trials each. "
        "Diverged: SGD on 3 of 10 seeds."
    )


def test_among_divergences_no_difference_could_have_been_promised():
    told = verdict({"SGD": [math.nan] * 5 + ADAM[5:], "Adam": ADAM[:5] + [math.nan] * 5}, TERMS).words()
    assert "typical difference unknown [-inf, inf]" in told
    assert "How small a difference could have been seen cannot be said, since runs diverged." in told
    assert told.endswith("Diverged: SGD on 5 of 10 seeds, Adam on 5 of 10 seeds.")


def test_all_diverged_is_a_tie_everywhere():
    found = verdict({"SGD": [math.nan] * 10, "Adam": [math.inf] * 10}, TERMS).comparisons[0]
    assert (found.p, found.paired.tied) == (1.0, 10)
    assert "SGD ahead on 0 of 10 seeds (10 tied), p = 1, " in found.words()
    assert "4 of 5" not in found.words()


def test_the_order_in_which_optimizers_are_given_changes_no_pair():
    results = {"a": ADAM, "b": shifted(0.001, -0.5), "c": shifted(0.02)}
    one, other = verdict(results), verdict(dict(reversed(results.items())))
    for first, second in (("a", "b"), ("a", "c"), ("b", "c")):
        assert one.between(first, second).words() == other.between(first, second).words()


def test_plain_values_are_json_without_infinities():
    diverging = [*shifted(0.01)[:7], math.nan, math.inf, math.nan]
    plain = verdict({"SGD": diverging, "Adam": ADAM, "NAdam": [math.nan] * 5 + ADAM[5:]}, TERMS).plain()
    text = json.loads(json.dumps(plain, allow_nan=False))
    assert (text["metric"], text["trials"], text["seeds"], text["seeds_needed"]) == ("test loss", 9, 10, 7)
    pair = text["comparisons"][0]
    assert (pair["first"], pair["second"], pair["differs"]) == ("Adam", "SGD", True)
    assert pair["lead"]["high"] is None
    assert pair["paired"]["better"]["estimate"] == 1.0


def test_results_are_asked_for_of_two_optimizers_with_as_many_each():
    with pytest.raises(InputError, match="results must be of two optimizers or more; got 1"):
        verdict({"Adam": ADAM})
    with pytest.raises(InputError, match="one for each seed; got 10 of Adam and 9 of SGD"):
        verdict({"Adam": ADAM, "SGD": ADAM[:9]})
    with pytest.raises(InputError, match="results of SGD must be numbers"):
        verdict({"Adam": ADAM, "SGD": ["x"]})


def test_intervals_aim_at_the_level_that_alpha_leaves():
    pair = verdict({"Adam": ADAM, "SGD": shifted(0.01)}, alpha=0.2).comparisons[0]
    # A sum of at most 14 has 99 of 1024 ways, one of at most 15 has 119: 2 * 119 / 1024 is above 0.2.
    assert pair.lead.level == pytest.approx(1 - 2 * 99 / 1024)
    assert pair.paired.better.level == 0.8


def test_a_pair_is_asked_for_by_two_of_its_names():
    found = verdict({"Adam": ADAM, "SGD": shifted(0.01)})
    with pytest.raises(InputError, match="'adma' is no optimizer of this verdict. Did you mean 'Adam'?"):
        found.between("SGD", "adma")
    with pytest.raises(InputError, match="between two optimizers; got Adam twice"):
        found.between("Adam", "Adam")

"""Choosing an optimizer: the documents, the rule without correction, and what the checks of verdicts hold to."""

import math

import pytest
import torch

from fallline.gallery.adaptive import ADAPTIVE, ANNEALED, _alike, _later, _steps
from fallline.gallery.quadratic_deep import _published
from fallline.gallery.tuned import Tuned, better, not_better
from fallline.gallery.uncorrected_adam import UncorrectedAdam
from fallline.gallery.words_problem import ROWS, WORDS, LogOdds, words
from fallline.study.record import Record
from fallline.training import Curve, Ending, Outcome, trace


def record(seed, *losses, lr=0.1, problem="p"):
    told = {"problem": problem, "seed": seed, "hyperparameters": {"lr": lr}}
    curve = Curve({"step": [10.0 * i for i in range(len(losses))], "test_loss": list(losses)})
    return Record(told, Outcome(Ending.FINISHED, 10 * len(losses)), curve, 0.0)


def tuned(**losses):
    return Tuned(
        {title: [record(seed, 9.0, loss) for seed, loss in enumerate(own)] for title, own in losses.items()}, 9
    )


def test_words_are_as_frequent_as_is_said_and_say_equally_much():
    x, y = words("zipf").train
    assert x.shape == (ROWS, WORDS)
    assert torch.equal(x, x.round())
    expected = 0.5 * torch.arange(1, WORDS + 1) ** -0.8
    deviation = (expected * (1 - expected) / ROWS).sqrt()
    assert ((x.mean(dim=0) - expected) / deviation).abs().max() < 5
    assert 0.4 < y.mean() < 0.6
    equal = words("equal").train[0]
    assert float(equal.sum() / x.sum()) == pytest.approx(1, abs=0.02)
    assert float(equal.mean(dim=0).max() / equal.mean(dim=0).min()) < 3
    assert torch.equal(x, words("zipf").train[0])


def test_log_odds_are_those_of_torchs_linear_layer():
    model, x = LogOdds(), words("zipf").train[0][:5]
    assert torch.allclose(model(x), torch.nn.functional.linear(x, model.weight, model.bias), atol=1e-6)


def test_without_the_correction_both_moments_begin_at_zero():
    path = trace("quadratic", UncorrectedAdam(lr=0.1, eps=0.0), start=(-5, -2), steps=2)
    x, m, v = -5.0, 0.0, 0.0
    for point in path[1:]:
        g = 0.2 * x
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x -= 0.1 * m / math.sqrt(v)
        assert point[0] == pytest.approx(x, rel=1e-12)


def test_a_claim_holds_where_the_verdict_says_so_and_only_there():
    apart = tuned(a=[1.0 + 0.01 * i for i in range(10)], b=[2.0 + 0.02 * i for i in range(10)]).verdict()
    assert better("x", apart, "a", "b").passed
    assert not better("x", apart, "b", "a").passed
    assert not not_better("x", apart, "a", "b").passed
    assert not_better("x", apart, "b", "a").passed
    assert "as tuned here with 9 trials each" in better("x", apart, "a", "b").measured
    same = tuned(a=[1.0] * 10, b=[1.0] * 10).verdict()
    assert not better("x", same, "a", "b").passed
    assert not_better("x", same, "a", "b").passed


def test_optimizers_of_two_studies_are_paired_by_seed():
    both = tuned(a=[1.0, 2.0]).beside(tuned(b=[3.0, 4.0]))
    assert both.finals("test_loss") == {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    assert both.rate("b") == 0.1
    with pytest.raises(AssertionError):
        tuned(a=[1.0, 2.0]).beside(Tuned({"b": [record(5, 3.0), record(6, 4.0)]}, 9))


def test_alike_means_that_none_is_ahead_of_both_others():
    ends = {title: [1.0 + 0.1 * place + 0.01 * i for i in range(10)] for place, title in enumerate(ADAPTIVE)}
    assert not _alike("x", tuned(**ends).verdict()).passed
    first, second, _ = ADAPTIVE
    assert _alike("x", tuned(**{**ends, second: ends[first]}).verdict()).passed


def test_the_target_is_measured_against_adams_median():
    study = Tuned(
        {
            "Adam": [record(0, 9.0, 2.0, 1.0)],
            ANNEALED: [record(0, 9.0, 9.0, 1.05)],
            "RMSprop": [record(0, 9.0, 9.0, 1.06)],
        },
        9,
    )
    assert _steps(study) == {"Adam": [20.0], ANNEALED: [20.0], "RMSprop": [math.inf]}


@pytest.mark.parametrize(("annealed", "passed"), [(120.0, True), (300.0, False), (math.inf, False), (40.0, False)])
def test_about_as_many_steps_is_between_six_tenths_and_seventeen(annealed, passed):
    steps = {"Adam": [100.0] * 10, ANNEALED: [annealed] * 10}
    study = tuned(**{title: [1.0] * 10 for title in steps})
    assert _later("x", steps, study.judged(steps, "steps")).passed is passed


def test_a_published_loss_far_from_ours_is_noticed():
    study = tuned(SGD=[87.3, 87.4, 87.5])
    assert _published(study, "SGD", 87.55).passed
    assert not _published(study, "SGD", 87.7).passed
    assert not _published(study, "SGD", 87.1).passed

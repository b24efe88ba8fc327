"""What a population is reckoned to take, from hand-made anatomies."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from fallline.study import outlook
from fallline.study.anatomy import Anatomy, Part
from fallline.study.outlook import Outlook

ONE = Anatomy(
    step=Part(fixed=0.010, growing=0.002),
    evaluation=Part(fixed=0.004, growing=0.001),
    evaluating=0.005,
    operations=100,
    gradient_operations=60,
    bytes=1000,
    names=frozenset({"aten::mm"}),
    unmapped=frozenset(),
)


@pytest.fixture
def reckoned(monkeypatch):
    def of(anatomies, members):
        monkeypatch.setattr(outlook.Anatomy, "of", lambda member, problem, seed: anatomies[member.optimizer])
        return Outlook.of([SimpleNamespace(optimizer=name) for name in anatomies for _ in range(members)], None, 0)

    return of


def test_members_share_what_rows_do_not_change_and_have_the_rest_for_themselves(reckoned):
    few, many = reckoned({"sgd": ONE}, 1), reckoned({"sgd": ONE}, 11)
    assert many.step - few.step == pytest.approx(10 * 0.002)
    assert many.evaluating - few.evaluating == pytest.approx(10 * 0.001)
    assert few.step == pytest.approx(outlook._SHARED * 0.010 + 0.002)
    assert (few.bytes, many.bytes) == (1000, 11000)
    assert many.preparing == few.preparing == pytest.approx(outlook._CAPTURING * 100)
    assert many.trying > many.preparing + 8 * many.step + 11 * 0.005


def test_optimizers_share_the_gradient_and_not_their_updates(reckoned):
    one, two = reckoned({"sgd": ONE}, 2), reckoned({"sgd": ONE, "adam": ONE}, 1)
    # Two fifths of the operations are the update's.
    assert two.step - one.step == pytest.approx(outlook._SHARED * 0.4 * 0.010)


def test_bytes_that_take_longer_than_arithmetic_count_in_its_place(reckoned):
    heavy = replace(ONE, bytes=int(outlook._BYTES_A_SECOND))
    assert reckoned({"sgd": heavy}, 1).step == pytest.approx(outlook._SHARED * 0.010 + 1.0)


def test_convolutions_take_longer_for_each_member(reckoned):
    plain = reckoned({"sgd": ONE}, 10)
    grouped = reckoned({"sgd": replace(ONE, names=frozenset({"aten::convolution"}))}, 10)
    assert grouped.step - plain.step == pytest.approx((outlook._GROUPED - 1) * 10 * 0.002)
    assert grouped.evaluating > plain.evaluating


def test_what_no_rule_maps_is_named(reckoned):
    strange = replace(ONE, unmapped=frozenset({"aten::strange"}))
    assert reckoned({"sgd": ONE, "adam": strange}, 1).unforeseen == {"aten::strange"}

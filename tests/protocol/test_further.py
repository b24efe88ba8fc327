import pytest

from fallline.protocol.edges import edges
from fallline.protocol.further import further_settings

TRIED = [{"lr": lr, "momentum": 0.9} for lr in (0.001, 0.01, 0.1, 1.0)]


def rates(best, count, **named):
    return [setting["lr"] for setting in further_settings(TRIED, {"lr": best, "momentum": 0.9}, count, **named)]


@pytest.mark.parametrize(("best", "expected"), [(1.0, [10.0, 100.0, 1000.0]), (0.001, [1e-4, 1e-5, 1e-6])])
def test_beyond_an_edge_at_the_same_spacing(best, expected):
    assert rates(best, 3) == expected


def test_between_the_best_and_its_neighbours():
    # One of three goes below, at half a decade; two above, at thirds of one.
    assert rates(0.01, 3) == [0.0031623, 0.021544, 0.046416]
    assert rates(0.1, 1) == [0.31623]


def test_what_is_not_legal_beyond_lies_between():
    found = rates(1.0, 2, legal=lambda setting: setting["lr"] <= 10)
    assert found == [10.0, 0.31623]
    assert rates(1.0, 2, legal=lambda setting: setting["lr"] <= 1) == [0.21544, 0.46416]


def test_two_edges_take_turns():
    tried = [{"lr": lr, "decay": decay} for lr in (0.1, 1.0, 10.0) for decay in (0.001, 0.01, 0.1)]
    found = further_settings(tried, {"lr": 10.0, "decay": 0.001}, 3)
    assert found == [{"lr": 100.0, "decay": 0.001}, {"lr": 10.0, "decay": 0.0001}, {"lr": 1000.0, "decay": 0.001}]


@pytest.mark.parametrize("tried", [[{"lr": 0.1}], [{"lr": 0.1}, {"lr": 1.0}], [{"n": 1}, {"n": 2}, {"n": 3}]])
def test_nothing_where_no_numbers_were_tuned(tried):
    assert further_settings(tried, tried[0], 4) == []


def test_edges_are_of_three_numbers_or_more():
    found = edges({"lr": [0.1, 1.0, 1.0], "decay": [0.0, 0.1, 0.2], "n": [1, 2, 3]}, {"lr": 1.0, "decay": 0.0, "n": 3})
    assert list(map(str, found)) == ["decay=0 is the least value tried"]


def test_values_reckoned_from_rounded_ones_have_no_more_digits_than_they_know():
    tried = [{"lr": lr} for lr in (0.00316228, 0.0316228, 0.316228, 3.16228)]
    assert [own["lr"] for own in further_settings(tried, {"lr": 0.0316228}, 2)] == [0.01, 0.1]
    assert [own["lr"] for own in further_settings(tried, {"lr": 3.16228}, 1)] == [31.623]

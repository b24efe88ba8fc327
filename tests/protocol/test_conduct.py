import math

from fallline.protocol import Contestant, Seeds, conduct, selected


def follow(fields, seeds, losses, further=0):
    """Conduct a protocol with losses by a function of a training; its stages, and what was found."""
    course = conduct(fields, seeds, further)
    stages = [next(course)]
    while True:
        try:
            stages.append(course.send([losses(training) for training in stages[-1].trainings]))
        except StopIteration as end:
            return stages, end.value


def rates(*values):
    return [{"lr": float(value)} for value in values]


def bowl(best):
    """The further from the best rate, the worse; seeds move all rates alike."""
    return lambda training: abs(math.log10(training.setting["lr"] / best)) + 0.01 * training.seed


def told(stage):
    return [(t.contestant, t.setting["lr"], t.seed, t.phase) for t in stage.trainings]


def test_the_best_of_the_search_is_trained_again_on_fresh_seeds():
    field = [Contestant("sgd", [rates(0.1, 1)]), Contestant("adam", [rates(0.01, 0.1)])]
    (search, reruns), found = follow([field], Seeds(2, 3), bowl(0.2))
    assert (search.name, reruns.name) == ("search", "reruns")
    assert told(search) == [
        (place, lr, seed, "search")
        for place, own in enumerate([(0.1, 1), (0.01, 0.1)])
        for lr in own
        for seed in (0, 1)
    ]
    assert told(reruns) == [(place, 0.1, seed, "final") for place in (0, 1) for seed in (2, 3, 4)]
    results = tuple(math.log10(2) + 0.01 * seed for seed in (2, 3, 4))
    assert [rerun.setting["lr"] for rerun in found] == [0.1, 0.1]
    assert all(math.isclose(a, b) for rerun in found for a, b in zip(rerun.results, results, strict=True))


def test_a_sweep_is_a_search_alone():
    stages, found = follow([[Contestant("sgd", [rates(0.1)])]], Seeds(2, 0), bowl(1))
    assert [stage.name for stage in stages] == ["search"]
    assert found == []


def test_without_a_choice_there_is_no_search():
    field = [Contestant("sgd", [rates(0.1)]), Contestant("adam", [rates(0.01)])]
    (reruns,), found = follow([field], Seeds(3, 2), bowl(1))
    assert told(reruns) == [(0, 0.1, 3, "final"), (0, 0.1, 4, "final"), (1, 0.01, 3, "final"), (1, 0.01, 4, "final")]
    assert len(found) == 2
    # Where somebody has a choice, all take part in the search.
    field = [Contestant("sgd", [rates(0.1)]), Contestant("adam", [rates(0.01, 0.1)])]
    (search, _), _ = follow([field], Seeds(1, 1), bowl(1))
    assert [t.contestant for t in search.trainings] == [0, 1, 1]


def test_every_repeat_searches_its_own_settings_on_its_own_seeds():
    field = [Contestant("sgd", [rates(0.1, 1), rates(0.3, 5)])]
    (search, reruns), found = follow([field], Seeds(2, 3, repeats=2), bowl(1))
    assert told(search) == [
        (0, lr, seed, "search")
        for own, seeds in (((0.1, 1), (0, 1)), ((0.3, 5), (5, 6)))
        for lr in own
        for seed in seeds
    ]
    assert told(reruns) == [(0, lr, s, "final") for lr, seeds in ((1, (2, 3, 4)), (0.3, (7, 8, 9))) for s in seeds]
    assert [(rerun.repeat, rerun.setting["lr"]) for rerun in found] == [(0, 1.0), (1, 0.3)]


def test_one_at_an_edge_gives_everybody_in_its_field_more_trials():
    at_edge, inside = [Contestant("a", [rates(0.01, 0.1, 1)])], [Contestant("b", [rates(0.1, 1, 10)])]
    stages, found = follow([at_edge + inside, inside], Seeds(1, 1), bowl(2), further=2)
    assert [stage.name for stage in stages] == ["search", "further trials", "reruns"]
    assert [(t.field, *row[:2]) for t, row in zip(stages[1].trainings, told(stages[1]), strict=True)] == [
        (0, 0, 10.0), (0, 0, 100.0), (0, 1, 0.31623), (0, 1, 3.1623),
    ]  # fmt: skip
    assert [rerun.setting["lr"] for rerun in found] == [1.0, 3.1623, 1.0]
    stages, _ = follow([inside], Seeds(1, 1), bowl(2), further=2)
    assert [stage.name for stage in stages] == ["search", "reruns"]


def test_an_edge_in_one_repeat_concerns_that_repeat_alone():
    own = [rates(0.1, 1, 10), rates(0.01, 0.1, 1)]
    stages, _ = follow([[Contestant("sgd", own), Contestant("adam", own)]], Seeds(1, 1, 2), bowl(1), further=1)
    assert [stage.name for stage in stages] == ["search", "further trials", "reruns"]
    # The second repeat's seeds are 2, of its search, and 3.
    assert told(stages[1]) == [(0, 10.0, 2, "search"), (1, 10.0, 2, "search")]


def test_selection_counts_a_diverged_run_as_the_worst():
    assert selected([[1.0, math.nan, math.inf], [5.0, 6.0, math.inf], [4.0, 7.0, 6.0]]) == 2
    assert selected([[math.inf, math.inf, math.inf], [math.nan, math.nan, 1.0]]) == 1
    assert selected([[2.0, 1.0], [1.5, 1.5]]) == 0


def test_conditions_that_are_compared_get_equal_trials():
    fields = [[Contestant("sgd", [rates(0.01, 0.1, 1)])] for _ in range(2)]

    def losses(training):
        return bowl(0.1 if training.field else 1)(training)

    stages, _ = follow(fields, Seeds(1, 1), losses, further=2)
    assert [t.field for t in stages[1].trainings] == [0, 0, 1, 1]

from fallline.report.search import search_note
from fallline.study.specification import OptimizerSpecification, ProblemSpecification, Specification


def optimizer(label, values=(), ranges=None):
    return OptimizerSpecification(
        label=label, source=label, kind=label, hyperparameters={"lr": values}, ranges=ranges or {}
    )


def said(*optimizers, **changes):
    problems = [ProblemSpecification(name="line", source=None)]
    note = search_note(Specification(problems=problems, optimizers=optimizers, epochs=1, **changes))
    return note and note.partition(" (digest")[0]


def test_a_list_beside_drawn_values_is_said_to_be_a_list():
    drawn = optimizer("adam", ranges={"lr": (1e-5, 0.1)})
    told = said(optimizer("sgd", (0.1, 0.2)), drawn, search="random", trials=9, protocol="full")
    assert told == "Searched: sgd lr 0.1|0.2. Searched, 9 trials each, drawn log-uniformly: adam lr 1e-05 to 0.1"


def test_a_grid_tells_its_steps_and_one_value_is_no_search():
    cut = optimizer("adam", (0.001, 0.01, 0.1), {"lr": (0.001, 0.1)})
    assert said(cut, optimizer("sgd", (0.1,))) == "Searched: adam lr 0.001 to 0.1 in 3 steps"
    assert said(optimizer("sgd", (0.1,))) is None

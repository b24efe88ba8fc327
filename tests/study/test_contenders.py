import pytest
import torch

from fallline.errors import InputError
from fallline.rules import SGD, Adam, AdamW, Momentum, Muon
from fallline.study.contenders import distinguished
from fallline.study.parsing import contender, single_rule
from fallline.study.values import TRIALS, log, parse_rates
from fallline.wrappers import L2, Clip, Route


def test_a_name_or_class_is_tuned_over_its_search_space_and_an_instance_is_taken_as_it_is():
    named, by_class, instance = contender("adam"), contender(Adam), contender(Adam(lr=0.02))
    assert named.grid["lr"] == by_class.grid["lr"] == Adam.search["lr"].grid(TRIALS)
    assert named.label == by_class.label == "adam"
    assert instance.settings == [Adam(lr=0.02).hyperparameters()]


def test_values_lists_and_ranges():
    c = contender("momentum:momentum=0.8|0.9|0.99,lr=1e-3..1,nesterov=true")
    assert c.grid["momentum"] == (0.8, 0.9, 0.99)
    assert c.grid["lr"] == log(1e-3, 1, TRIALS)
    assert c.grid["nesterov"] == (True,)
    assert len(c.settings) == 3 * TRIALS
    assert c.settings[0] == {"lr": 0.001, "momentum": 0.8, "dampening": 0.0, "nesterov": True}


def test_rates_given_for_all_yield_to_an_optimizers_own():
    assert contender("adam", [0.1, 0.2]).grid["lr"] == (0.1, 0.2)
    assert contender("adam:lr=0.3", [0.1, 0.2]).grid["lr"] == (0.3,)
    assert contender(Adam(lr=0.5), [0.1]).settings[0]["lr"] == 0.1


def test_optional_values_may_be_none():
    assert contender("sgd:momentum=none|0.9").grid["momentum"] == (None, 0.9)


def test_weight_decay_of_a_rule_without_it_is_coupled_l2():
    c = contender("sgd:weight_decay=1e-4|1e-3")
    assert isinstance(c.algorithm, L2)
    assert c.grid["l2.weight_decay"] == (1e-4, 1e-3)
    assert not isinstance(contender("adamw:weight_decay=0.1").algorithm, L2)


def test_torch_optimizers_are_found_by_name_and_class():
    by_name, by_class = (
        contender("torch.optim.AdamW:lr=0.1,amsgrad=true"),
        contender(torch.optim.AdamW, [0.1]),
    )
    assert by_name.algorithm is by_class.algorithm is torch.optim.AdamW
    assert by_name.settings == [{"lr": 0.1, "amsgrad": True}]
    assert by_class.source == "torch.optim:AdamW"


def test_torch_optimizers_are_tuned_like_the_rule_with_their_formula():
    assert contender(torch.optim.Adam).grid["lr"] == contender("adam").grid["lr"]
    assert len(contender("torch.optim.NAdam").grid["lr"]) == TRIALS
    assert "lr" not in contender(torch.optim.Adafactor, tune=False).grid


@pytest.mark.parametrize("written", ["1", "1.0", "1e0"])
def test_a_rate_is_a_float_where_torch_gives_it_an_integer_as_default(written):
    assert contender(f"torch.optim.LBFGS:lr={written}").grid["lr"] == (1.0,)
    assert isinstance(contender(torch.optim.LBFGS, [1]).grid["lr"][0], float)


def test_labels_of_repeated_optimizers_are_told_apart():
    both = distinguished([contender("adam:beta1=0.5"), contender("adam:beta1=0.9")])
    assert [c.label for c in both] == ["adam:beta1=0.5", "adam:beta1=0.9"]
    with pytest.raises(InputError, match="named twice"):
        distinguished([contender("adam"), contender("adam")])


def test_lists_that_are_the_same_in_short_are_told_in_full():
    one, other = distinguished([contender("sgd:lr=0.1|0.2|1"), contender("sgd:lr=0.1|0.5|1")])
    assert (one.label, other.label) == ("sgd:lr=0.1|0.2|1.0", "sgd:lr=0.1|0.5|1.0")
    pairs = ["(0.8,0.9)|(0.9,0.9)|(0.9,0.99)", "(0.8,0.9)|(0.9,0.9)|(0.9,0.999)"]
    labels = [c.label for c in distinguished([contender(f"torch.optim.Adam:betas={text}") for text in pairs])]
    assert len(set(labels)) == 2


def test_instances_are_told_apart_and_can_be_found_again():
    both = distinguished([contender(SGD(lr=0.1)), contender(SGD(lr=0.01)), contender(SGD(lr=0.1, momentum=0.9))])
    assert [c.label for c in both] == ["sgd:lr=0.1", "sgd:lr=0.01", "sgd:lr=0.1,momentum=0.9"]
    assert {c.source for c in both} == {"sgd"}
    assert contender(L2(SGD())).source is None


def test_wrapped_rules_have_telling_labels():
    assert contender(L2(Momentum(), 0.1)).label == "L2+momentum"


def test_one_rule_with_one_value_each():
    rule, label = single_rule("sgd:lr=0.5")
    assert (rule, label) == (SGD(lr=0.5), "sgd(lr=0.5)")
    assert single_rule("sgd")[0] == SGD()
    with pytest.raises(InputError, match="2 settings"):
        single_rule("sgd:lr=0.1|0.2")
    with pytest.raises(InputError, match="a fallline Rule is needed"):
        single_rule("torch.optim.Adam")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sgd:lr=0.1,lr=0.2", "lr is given twice"),
        ("adm", "'adm' is no optimizer. Did you mean 'adam'"),
        ("adam:learning_rate=1", "'learning_rate' is no hyperparameter of adam"),
        ("adam:beta=0.9", "Did you mean 'beta"),
        ("adam:lr=0", "lr must be a finite number above 0; got 0.0"),
        ("adam:lr=-1", "lr must be a finite number of at least 0; got -1.0"),
        ("adam:lr=inf", "got inf"),
        ("adam:lr=nan", "got nan"),
        ("adam:lr=True", "lr must be a number; got 'True'"),
        ("adam:lr=fast", "lr must be a number; got 'fast'"),
        ("adam:lr=1..0.1", "0 < low < high"),
        ("adam:lr=0..1", "0 < low < high"),
        ("adam:amsgrad=yes", "must be true or false; got 'yes'"),
        ("adam:lr=", "expected key=value"),
        ("adam:beta1=1", r"beta1 must be in \[0, 1\)"),
        ("mine.py", "Write mine.py:Class"),
        ("nowhere.py:Mine", "There is no file nowhere.py"),
        ("torch.optim.Adan", "Did you mean 'Adam'"),
        ("torch.nn.Linear", "a fallline Rule or a class of torch.optim.Optimizer"),
        ("no_such.Thing", "There is no module 'no_such'"),
        ("torch.optim.Adam:lr=0", "lr must be a finite number above 0"),
        ("torch.optim.Adam:rate=1", "is no hyperparameter of torch.optim.Adam"),
    ],
)
def test_mistakes_get_one_clear_message(text, message):
    with pytest.raises(InputError, match=message):
        contender(text)


@pytest.mark.parametrize("rates", [[True], ["fast"], [0], [-1.0], [float("inf")], [float("nan")], []])
def test_bad_rates_from_python(rates):
    with pytest.raises(InputError, match="lr"):
        contender("adam", rates)


def test_rates_on_the_command_line():
    assert parse_rates("1e-3:1:4") == (0.001, 0.01, 0.1, 1.0)
    assert parse_rates("0.1,0.2") == (0.1, 0.2)
    for text in ("1:2", "1e-3:1:x", "a,b", "", "1:0.1:3", "0.1:1:1"):
        with pytest.raises(InputError):
            parse_rates(text)


def test_a_rule_that_takes_no_vectors_gets_adamw_beside_it() -> None:
    made = contender("muon:others.lr=0.01|0.1", rates=[0.5])
    assert made.label == "muon+adamw"
    assert made.algorithm == Route(Muon(), others=AdamW())
    assert made.grid == {"lr": (0.5,), "others.lr": (0.01, 0.1)}
    assert contender(Clip(Route(Muon(), others=SGD()), norm=1.0)).label == "Clip+muon+sgd"
    assert contender("soap").label == "soap"


def test_what_a_torch_optimizer_takes_is_legal_whatever_the_axes_it_asks_for() -> None:
    made = contender("torch.optim.Muon:lr=1e-3..1")
    assert made.legal({"lr": 0.1})
    assert not made.legal({"lr": -0.1})
    assert not contender("torch.optim.Adam:betas=(0.9,0.99)").legal({"lr": 0.1, "betas": (0.9, 1.5)})


def test_a_single_rule_has_no_other_beside_it() -> None:
    rule, called = single_rule("muon:lr=0.1")
    assert (rule, called) == (Muon(lr=0.1), "muon(lr=0.1)")

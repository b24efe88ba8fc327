"""What the catalogue says of rules and wrappers, against what is known of them."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from fallline.errors import InputError
from fallline.optim.automatic import worth_compiling
from fallline.rules import SGD, Adam, Rule
from fallline.study.abilities import abilities
from fallline.study.catalogue import catalogue, described, wrappers
from fallline.study.facts import facts, hyperparameter, words_of_state
from fallline.study.formula import formula
from fallline.study.runners import compiled_from, executors
from fallline.wrappers import Accumulate, Clip
from tests.conformance.variants import EXPORTED, NAMESAKES


@pytest.fixture(scope="module")
def entries() -> dict[str, Any]:
    return {entry["name"]: entry for entry in (*catalogue(runners=False), *wrappers(runners=False))}


def named(entries: dict[str, Any], key: str) -> set[str]:
    return {name for name, entry in entries.items() if entry[key]["holds"]}


def test_every_rule_is_there_with_the_keys_that_readers_of_the_json_know(entries):
    assert {name.lower() for name in EXPORTED} <= entries.keys()
    for name in EXPORTED:
        known = {"name", "class", "torch", "hyperparameters", "search", "state", "source"}
        assert known <= entries[name.lower()].keys()
    assert entries["adam"]["hyperparameters"]["beta1"] == {"default": 0.9, "range": "in [0, 1)", "optional": False}
    assert entries["adam"]["search"] == {"lr": [1e-5, 1e-1]}


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("sgd", "0, up to 1", "none; 1 word per weight with momentum"),
        ("adam", "2, up to 3", "2 words per weight (exp_avg, exp_avg_sq); 3 with amsgrad"),
        ("adafactor", "0.0312", "0.0312 words per weight of a 64 x 64 matrix (row_var, col_var); 1 of a vector"),
        (
            "prodigy",
            "4 + 2",
            "4 words per weight and 2 numbers per tensor (exp_avg, exp_avg_sq, s, p0, d, d_numerator)",
        ),
        ("rmsprop", "1, up to 3", "1 word per weight (square_avg); 2 with momentum; 2 with centered; 3 with all"),
        ("muon", "1", "1 word per weight (momentum_buffer)"),
        ("average", "1", "1 word per weight (average.weights)"),
        ("route", "0", "none"),
    ],
)
def test_state_is_counted(entries, name, words, told):
    assert words_of_state(entries[name]) == words
    assert facts(entries[name])["state"] == told


def test_soap_keeps_two_moments_two_gram_matrices_and_two_bases(entries):
    assert entries["soap"]["state_words"]["per_weight"] == 6.0
    assert entries["soap"]["state_words"]["of_a_vector"] == 2.0


def test_what_is_found_by_trying_is_what_the_papers_say(entries):
    assert named(entries, "evaluated_elsewhere") == {
        "asgd",
        "schedulefreesgd",
        "schedulefreeadamw",
        "average",
        "lookahead",
    }
    assert named(entries, "further_gradients") == {"sam"}
    assert named(entries, "whole_model_totals") == {"prodigy", "sam"}
    assert entries["clip"]["whole_model_totals"]["changed_by"] == ["clip.global_norm"]
    assert named(entries, "noise") == {"noise"}
    assert named(entries, "rhythm") == {"soap", "accumulate", "lookahead"}
    assert named(entries, "sparse") == {"sgd", "adagrad", "sparseadam", "clip", "maximize", "route"}
    assert entries["sgd"]["sparse"]["changed_by"] == ["momentum"]
    assert {name for name in entries if name not in named(entries, "complex")} == {
        name for name, entry in entries.items() if entry["acts_on"] != "element"
    }


def test_what_is_asked_only_where_an_update_is_due_is_found_too():
    assert abilities(Accumulate(Clip(SGD(), global_norm=1.0)))["whole_model_totals"]["holds"]


def test_every_namesake_exchanges_state(entries):
    exchanging = {entry["class"].rpartition(".")[2] for entry in entries.values() if entry.get("exchanges_state")}
    assert exchanging == set(NAMESAKES)


def test_refused_wrappers_come_with_the_reason_once(entries):
    assert list(entries["muon"]["refused_wrappers"]) == ["centralise"]
    assert facts(entries["average"])["refuses"] == (
        "Cautious, DecoupledDecay, IndependentDecay, L1, Lookahead cannot stand around Average: the average would not "
        "know what it does to a step. Write Average around it."
    )
    assert entries["adam"]["refused_wrappers"] == {}


def test_ranks_and_ranges_in_words(entries):
    assert facts(entries["muon"])["acts on"] == "matrices of 2 or more dimensions"
    assert facts(entries["adam"])["acts on"] == "single numbers"
    assert hyperparameter(entries["sgd"]["hyperparameters"]["momentum"]) == "at least 0, or None"
    assert hyperparameter(entries["route"]["hyperparameters"]["which"]) == "a function, or None"


def test_a_formula_holds_what_it_inherits_and_calls():
    momentum, adamw, free = (formula(EXPORTED[name]) for name in ("Momentum", "AdamW", "ScheduleFreeAdamW"))
    assert momentum.startswith("# SGD\ndef init")
    assert adamw.count("def step") == 2
    assert "# Adam\ndef step" in adamw
    assert free.count("def averaged") == 1
    assert "def average_of" in free
    assert "def ema" not in free
    assert "def _factor" in formula(Clip)


@dataclass(frozen=True)
class Hesitant(Rule):
    """Reads a number of the tensor, which neither a graph nor a population can."""

    lr: float = 0.1

    def step(self, p, g, state, now):
        return (self.lr if g.sum().item() > 0 else 0.0) * g, state


def test_executors_are_those_that_can():
    assert executors(Adam()) == ["reference", "foreach", "compiled", "population"]
    assert "compiled" not in executors(Hesitant())
    assert "population" not in executors(Hesitant())


def test_the_size_from_which_a_rule_is_compiled():
    assert compiled_from(SGD()) is None
    start = compiled_from(Adam())
    assert start is not None
    assert not worth_compiling(Adam(), [torch.empty(1).expand(int(0.9 * start))])
    assert worth_compiling(Adam(), [torch.empty(1).expand(int(1.1 * start))])


def test_an_unknown_name_is_told():
    assert described("Adam")["name"] == "adam"
    assert described("SAM")["class"] == "fallline.wrappers.SAM"
    with pytest.raises(InputError, match="'lookahed' is no optimizer or wrapper. Did you mean 'lookahead'"):
        described("lookahed")

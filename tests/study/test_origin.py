import json
from hashlib import blake2b

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fallline.problems.sources import permutation
from fallline.report.method import method
from fallline.study import read_results
from fallline.training import Origin
from tests.fitting.fits import fit
from tests.study.studies import X, compare, curves, line, same


def by_seed(results, what):
    found = {}
    for record in results.records:
        found.setdefault(record["seed"], set()).add(getattr(record.origin, what))
    return found


@pytest.mark.parametrize("runner", ["loop", "population", "processes"])
def test_every_optimizer_begins_a_run_with_the_same_weights_and_order(tmp_path, runner):
    results = compare(tmp_path, runner=runner, seeds=3)
    for what in ("weights", "order"):
        found = by_seed(results, what)
        assert all(len(digests) == 1 for digests in found.values())
        assert len(set.union(*found.values())) == 3
    rows = permutation(32, 0, "order", 2).numpy().astype("<i8").tobytes()
    assert by_seed(results, "order")[2] == {blake2b(b"reshuffle/" + rows, digest_size=16).hexdigest()}
    assert "those of a seed are the same for all optimizers" in method(results)["Equal chances"]
    members = json.loads(json.dumps(read_results(tmp_path / "s").to_json()))["members"]
    assert [(m["weights_digest"], m["order_digest"]) for m in members] == [
        (record.origin.weights, record.origin.order) for record in read_results(tmp_path / "s").records
    ]


def test_digests_are_of_what_a_run_begins_with_and_of_nothing_else(tmp_path):
    def origins(name, **changes):
        return {record.origin for record in compare(tmp_path / name, optimizers=["sgd"], **changes).records}

    first = origins("a", seeds=1)
    assert origins("b", seeds=1, epochs=3, batch_sizes=[8], schedules=["cosine"], vary={"l2": [0.1]}) == first
    ((other_seed,), (fixed,)) = origins("c", seeds=1, seed=1), origins("d", seeds=1, order="fixed")
    (plain,) = first
    assert other_seed.weights != plain.weights
    assert other_seed.order != plain.order
    assert (fixed.weights, fixed.order != plain.order) == (plain.weights, True)
    start = nn.Linear(1, 1)
    same = origins("e", problem=line(model=start), seeds=2)
    assert len({origin.weights for origin in same}) == 1
    assert len({origin.order for origin in same}) == 2
    with torch.no_grad():
        start.bias += 1e-7
    assert {o.weights for o in origins("f", problem=line(model=start), seeds=1)} != {o.weights for o in same}


def test_a_fixed_order_is_the_first_epochs_in_every_runner(tmp_path):
    found = {
        (order, runner): curves(
            compare(tmp_path, order=order, runner=runner, batch_sizes=[8], store=tmp_path / f"{order}{runner}")
        )
        for order in ("fixed", "reshuffle")
        for runner in ("loop", "processes", "population")
    }
    for order in ("fixed", "reshuffle"):
        assert same(found[order, "loop"], found[order, "processes"])
        for key, columns in found[order, "loop"].items():
            assert found[order, "population"][key]["train_loss"] == pytest.approx(columns["train_loss"], rel=1e-5)
    for fixed, other in zip(found["fixed", "loop"].values(), found["reshuffle", "loop"].values(), strict=True):
        first_epoch = fixed["step"].index(4) + 1
        assert fixed["train_loss"][:first_epoch] == other["train_loss"][:first_epoch]
        assert fixed["train_loss"][first_epoch:] != other["train_loss"][first_epoch:]


def test_of_a_loader_the_key_of_its_order_is_kept(tmp_path):
    loader = DataLoader(TensorDataset(X, 2 * X), batch_size=10, shuffle=True)
    results = compare(tmp_path, line(train=loader, validation=(X, 2 * X)))
    assert all(len(digests) == 1 for digests in by_seed(results, "order").values())
    assert len(set.union(*by_seed(results, "order").values())) == 2


def test_members_that_went_on_have_the_origin_of_their_beginning(tmp_path):
    whole = fit(tmp_path / "whole")
    again = fit(tmp_path / "whole")
    assert whole.record.origin == again.record.origin
    assert whole.to_json()["weights_digest"] == whole.record.origin.weights


def test_the_report_says_where_trainings_did_not_begin_alike(tmp_path):
    results = compare(tmp_path)
    records = [*results.records]
    object.__setattr__(records[0], "origin", Origin("other", records[0].origin.order))
    assert "digests that they kept of their initial weights are not the same" in method(results)["Equal chances"]
    object.__setattr__(records[0], "origin", None)
    assert method(results)["Equal chances"].endswith("equal chances.")

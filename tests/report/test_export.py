import csv
import math

import pandas as pd
import pytest

import fallline as fl
from fallline.api import study_of_file
from fallline.errors import InputError


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def results(tmp_path):
    return fl.compare(
        "cubic", ["sgd:lr=0.1|1e9", "adam:lr=0.01"], vary={"patience": [None, 1]}, epochs=2, seeds=2, threads=1,
        protocol="sweep",         losses_every=10, runner="loop", progress=False, store=tmp_path / "s",
    )  # fmt: skip


def test_every_number_is_there_with_all_its_digits(results, tmp_path):
    written = results.export()
    assert [path.name for path in written] == ["members.csv", "curves.csv", "study.toml", "losses.csv"]
    assert {path.parent for path in written} == {tmp_path / "s" / "export"}
    members, curves, losses = (rows(written[i]) for i in (0, 1, 3))
    assert len(members) == len(results.records) == 12
    for record, row in zip(results.records, members, strict=True):
        assert row["member"] == record.key
        assert (row["optimizer"], int(row["seed"]), row["order"]) == (record["optimizer"], record["seed"], "reshuffle")
        assert float(row["hyperparameter.lr"]) == record["hyperparameters"]["lr"]
        assert row["factor.patience"] == ("none" if record["factors"]["patience"] is None else "1.0")
        assert (row["weights_digest"], row["order_digest"]) == (record.origin.weights, record.origin.order)
        assert row["outcome"] == str(record.outcome.ending)
        assert float(row["final.validation_loss"]) == record.final("validation_loss")
        own = [r for r in curves if r["member"] == record.key]
        assert [r["step"] for r in own] == [str(int(step)) for step in record.curve["step"]]
        for name in ("batch_loss", "train_loss", "validation_loss"):
            assert [float(r[name]).hex() for r in own] == [float(x).hex() for x in record.curve[name]]
        kept = {int(r["step"]): float(r["loss"]) for r in losses if r["member"] == record.key}
        assert kept.keys() == record.curve.losses.keys()
        assert all(x == kept[step] or math.isnan(x) for step, x in record.curve.losses.items())
    assert members[0]["hyperparameter.beta1"] == ""
    assert {row["outcome"] for row in members if row["hyperparameter.lr"] == "1000000000.0"} == {"diverged"}
    assert study_of_file(written[2], runner="loop", threads=1).specification == results.specification


def test_the_tables_are_read_by_pandas(results):
    members, curves = (pd.read_csv(path) for path in results.export()[:2])
    assert members["final.train_loss"].max() == math.inf
    together = curves.merge(members[["member", "hyperparameter.lr"]], on="member")
    assert len(together) == sum(len(record.curve["step"]) for record in results.records)
    assert together["step"].dtype == int


def test_nothing_is_overwritten_unless_asked(results, tmp_path):
    results.export(tmp_path / "out")
    (tmp_path / "out" / "members.csv").write_text("mine")
    (tmp_path / "out" / "study.toml").unlink()
    with pytest.raises(InputError, match=r"members.csv, curves.csv, losses.csv are in .*out already. .*--overwrite"):
        results.export(tmp_path / "out")
    assert (tmp_path / "out" / "members.csv").read_text() == "mine"
    assert not (tmp_path / "out" / "study.toml").exists()
    results.export(tmp_path / "out", overwrite=True)
    assert len(rows(tmp_path / "out" / "members.csv")) == 12
    with pytest.raises(InputError, match="folder must be a path"):
        results.export(3)


def test_of_unequal_optimizers_cells_are_empty_and_text_is_quoted(tmp_path):
    results = fl.compare(
        "cubic", ["sgd:lr=0.1"], protocol="sweep", steps=1, seeds=1, threads=1, progress=False, store=tmp_path / "s"
    )
    hostile = results.records[0].description | {"optimizer": 'a,"b"\nc'}
    object.__setattr__(results.records[0], "description", hostile)
    members, *_ = results.export(tmp_path / "out")
    assert rows(members)[0]["optimizer"] == 'a,"b"\nc'
    assert rows(members)[0]["outcome_cause"] == ""
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["curves.csv", "members.csv", "study.toml"]

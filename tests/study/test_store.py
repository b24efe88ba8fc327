import sqlite3

import pytest

from fallline.errors import InputError, MachineError
from fallline.study.record import Record
from fallline.study.store import FILE, MIGRATIONS, Store
from fallline.training import Curve, Ending, Origin, Outcome

VALUES = [0.1, 1 / 3, float("inf"), -0.0, 5e-324]


def record(optimizer="adam", losses=None):
    return Record(
        {"optimizer": optimizer, "seed": 0},
        Outcome(Ending.FINISHED, 4),
        Curve({"step": [0.0, 4.0], "train_loss": VALUES}, losses or {}),
        1.5,
        Origin("weights", "order"),
    )


def test_what_is_written_is_read_back_bit_for_bit(tmp_path):
    with Store.writer(tmp_path / "a" / "b") as store:
        store.begin("{}", {"runner": "loop"}, {"cpu": "x"})
        store.add(record())
    with Store.reader(tmp_path / "a" / "b") as store:
        assert store.study() == ("{}", {"runner": "loop"}, {"cpu": "x"})
        found = store.records()
    assert list(found) == [record().key]
    assert [x.hex() for x in found[record().key].curve["train_loss"]] == [x.hex() for x in VALUES]
    assert found[record().key].outcome == Outcome(Ending.FINISHED, 4)
    assert found[record().key].origin == Origin("weights", "order")


def test_losses_of_steps_are_read_back_bit_for_bit(tmp_path):
    losses = {3: 1 / 3, 6: float("inf"), 9: -0.0}
    with Store.writer(tmp_path) as store:
        store.add(record("sgd", losses))
        store.add(record("adam"))
        kept = {member["optimizer"]: member.curve.losses for member in store.records().values()}
    assert {step: loss.hex() for step, loss in kept["sgd"].items()} == {s: x.hex() for s, x in losses.items()}
    assert kept["adam"] == {}


def test_readers_see_a_study_that_is_being_written(tmp_path):
    with Store.writer(tmp_path) as store:
        store.begin("{}", {}, {})
        store.add(record())
        with Store.reader(tmp_path) as reader:
            assert len(reader.records()) == 1
            store.add(record("sgd"))
            assert len(reader.records()) == 2


def test_a_reader_cannot_write(tmp_path):
    with Store.writer(tmp_path) as store:
        store.begin("{}", {}, {})
    with Store.reader(tmp_path) as store, pytest.raises(MachineError, match="readonly"):
        store.add(record())


def test_only_one_writes(tmp_path):
    with Store.writer(tmp_path), pytest.raises(InputError, match="Another fallline is working"):
        Store.writer(tmp_path)
    Store.writer(tmp_path).close()


def test_a_failed_write_leaves_nothing_of_the_member(tmp_path):
    with Store.writer(tmp_path) as store:
        store.begin("{}", {}, {})
        broken = record()
        broken.curve.columns["odd"] = ["no number"]
        with pytest.raises(ValueError, match="no number"):
            store.add(broken)
        assert store.records() == {}
        store.add(record())
        assert len(store.records()) == 1


def test_a_full_disk_is_the_machines_failure(tmp_path):
    with Store.writer(tmp_path) as store:
        store.begin("{}", {}, {})
        store._connection.execute("PRAGMA max_page_count = 1")
        big = record()
        big.curve.columns["batch_loss"] = [0.5] * 100_000
        with pytest.raises(MachineError, match="fallline resume"):
            store.add(big)
    with Store.reader(tmp_path) as store:
        assert store.records() == {}


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    with Store.writer(tmp_path) as store:
        store.begin("{}", {}, {})
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    for open_store in (Store.writer, Store.reader):
        with pytest.raises(InputError, match="newer fallline"):
            open_store(tmp_path)


def test_members_of_before_digests_were_kept_have_none(tmp_path):
    connection = sqlite3.connect(tmp_path / FILE)
    for number, script in enumerate(MIGRATIONS[:3], start=1):
        connection.executescript(f"{script} PRAGMA user_version = {number};")
    connection.execute("INSERT INTO member VALUES ('old', '{}', 'finished', 4, NULL, 1.5, NULL)")
    connection.execute("INSERT INTO curve VALUES ('old', 'step', ?, 0)", (b"",))
    connection.commit()
    connection.close()
    with Store.reader(tmp_path) as store:
        assert store.records()["old"].origin is None
    with Store.writer(tmp_path) as store:
        store.add(record())
        assert [member.origin for member in store.records().values()] == [None, Origin("weights", "order")]


def test_a_damaged_or_empty_store_is_said(tmp_path):
    with Store.writer(tmp_path) as store:
        store.begin("{}", {}, {})
        for number in range(50):
            store.add(record(f"optimizer {number}"))
    path = tmp_path / FILE
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"x" * (len(content) - 4096))
    with Store.reader(tmp_path) as store, pytest.raises(InputError, match="is damaged"):
        store.study() or store.records()
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        Store.reader(tmp_path)


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(InputError, match="no study"):
        Store.reader(tmp_path)
    (tmp_path / FILE).write_bytes(b"this is no database, " * 100)
    for open_store in (Store.writer, Store.reader):
        with pytest.raises(InputError, match=r"cannot be (written|read)"):
            open_store(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Store.writer(tmp_path / "file" / "inside")


def test_a_file_of_another_program_is_refused_as_it_is(tmp_path):
    connection = sqlite3.connect(tmp_path / FILE)
    connection.executescript(
        "CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('x'); PRAGMA user_version = 2;"
    )
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    for open_store in (Store.writer, Store.reader):
        with pytest.raises(InputError, match="another program made it"):
            open_store(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before

"""Files are there whole or not at all."""

import os

import pytest

from fallline.errors import MachineError
from fallline.files import sweep, write_whole
from fallline.study.folders import claim


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, MemoryError, OSError])
def test_a_write_that_is_cut_short_leaves_what_was_there_alone(failure, tmp_path, monkeypatch):
    path = tmp_path / "weights" / "best"
    write_whole(path, b"before")

    def fail(_):
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(MachineError if failure is OSError else failure):
        write_whole(path, b"after")
    assert [file.name for file in path.parent.iterdir()] == ["best"]
    assert path.read_bytes() == b"before"


def test_a_claim_sweeps_what_killed_processes_left_in_every_folder(tmp_path):
    (tmp_path / "weights").mkdir()
    partials = [tmp_path / ".a.json.17.partial", tmp_path / "weights" / ".b.safetensors.17.partial"]
    for path in (*partials, tmp_path / "study.json", tmp_path / "weights" / "c.partial"):
        path.touch()
    claim(tmp_path, "study.json", "study").release()
    assert not any(path.exists() for path in partials)
    assert (tmp_path / "weights" / "c.partial").exists()
    sweep(tmp_path / "nothing")

import gzip
import os
import struct
from hashlib import sha256

import pytest
import torch

from fallline.errors import InputError
from fallline.problems import BUILT_IN, SURFACES, load, surface
from fallline.problems.files import DataFile
from fallline.problems.mnist import parse_idx
from fallline.problems.models import hidden_sizes, mlp

DATA = os.environ.get("FALLLINE_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="FALLLINE_DATA names no folder with the data files")


def test_digits_are_the_published_ones():
    problem = load("digits")
    images = torch.cat([problem.train[0], problem.test[0]])
    labels = torch.cat([problem.train[1], problem.test[1]])
    assert images.shape == (1797, 64)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert float(images.sum() * 16) == 561718.0
    assert len(problem.test[0]) == 360


@needs_data
def test_mnist_is_whole():
    problem = load("mnist", data_dir=DATA, hidden="500", scaling="symmetric")
    assert problem.train[0].shape == (60000, 784)
    assert problem.test[1].shape == (10000,)
    assert (float(problem.train[0].min()), float(problem.train[0].max())) == (-1, 1)
    assert problem.make_model()[0].out_features == 500


@needs_data
def test_airfoil_gives_the_known_least_squares():
    x, y = (part.double() for part in load("airfoil", data_dir=DATA).train)
    ones = torch.cat([x, torch.ones(len(x), 1)], dim=1)
    solution = torch.linalg.lstsq(ones, y).solution
    assert f"{float(((ones @ solution - y) ** 2).mean() / 2):.6f}" == "0.241688"
    assert f"{float((y**2).mean() / 2):.6f}" == "0.493259"


def test_linear_draws_as_published():
    assert [f"{w:.4f}" for w in load("linear").make_model().weight[0].tolist()] == ["0.0033", "0.0007"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digit", {}, "Did you mean 'digits'"),
        ("digits", {"hiden": 3}, "Did you mean 'hidden'"),
        ("digits", {"hidden": "12-x"}, "hidden must be layer sizes"),
        ("mnist", {"scaling": "minmax"}, "scaling must be one of"),
        ("nowhere.py:mine", {}, "There is no file nowhere.py"),
        ("no.such.module:mine", {}, "There is no module"),
        ("fallline.problems:digitz", {}, "Did you mean 'digits'"),
        ("fallline.problems:SURFACES", {}, "must be a fallline.Problem"),
    ],
)
def test_what_does_not_exist_is_said(name, options, message):
    with pytest.raises(InputError, match=message):
        load(name, **options)


def test_own_problems_come_from_files(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import torch, fallline as fl\n"
        "def wide(rows=8):\n"
        "    x = torch.ones(rows, 1)\n"
        "    return fl.Problem(model=lambda: torch.nn.Linear(1, 1), loss=torch.nn.MSELoss(), train=(x, x))\n"
        "narrow = wide(4)\n"
    )
    assert load(f"{file}:wide", rows=6).train[0].shape == (6, 1)
    assert load(f"{file}:narrow").name == "narrow"
    with pytest.raises(InputError, match="takes no options"):
        load(f"{file}:narrow", rows=6)
    with pytest.raises(InputError) as caught:
        load(str(file))
    assert str(caught.value) == f"Which problem of {file}? Write {file}:narrow."
    with pytest.raises(InputError, match="Did you mean 'narrow'. Known: wide, narrow.$"):
        load(f"{file}:narow")
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1\ny = 1 / 0\n")
    with pytest.raises(InputError, match="line 2: ZeroDivisionError"):
        load(f"{broken}:x")


def test_a_model_is_told_from_a_problem(tmp_path):
    file = tmp_path / "models.py"
    file.write_text("from torch import nn\ndef network(): return nn.Flatten()\nready = network()\n")
    for name in ("network", "ready"):
        with pytest.raises(
            InputError, match=rf"models.py:{name} is a model \(Flatten\), .*Problem\(model={name}, loss="
        ):
            load(f"{file}:{name}")
    with pytest.raises(InputError, match=r"Which problem of .*models.py\? There is no Problem in it: write .*:NAME"):
        load(str(file))
    with file.open("a") as more:
        more.write("import fallline as fl\nmine = fl.problems.load('cubic')\n")
    again = file.rename(tmp_path / "again.py")
    with pytest.raises(InputError, match=r"Problem\(model=network, .* Write .*again.py:mine.$"):
        load(f"{again}:network")


@pytest.mark.parametrize("name", [name for name, s in SURFACES.items() if s.minima])
def test_the_minima_of_surfaces_are_minima(name):
    where = surface(name)
    for minimum in where.minima:
        p = torch.tensor(minimum, dtype=torch.float64, requires_grad=True)
        where.function(p[0], p[1]).backward()
        assert float(p.grad.norm()) < 1e-3
        low, high = zip(*where.window, strict=True)
        assert all(a <= x <= b for a, x, b in zip(low, minimum, high, strict=True))


def test_an_unknown_surface_is_named():
    with pytest.raises(InputError, match="Did you mean 'saddle'"):
        surface("sadle")


def test_hidden_sizes_and_networks():
    assert hidden_sizes((3, 2)) == hidden_sizes("3-2") == (3, 2)
    assert hidden_sizes(0) == hidden_sizes("") == ()
    assert [p.shape for p in mlp((4, 3, 2)).parameters()] == [(3, 4), (3,), (2, 3), (2,)]
    assert set(BUILT_IN) == {"digits", "mnist", "airfoil", "cubic", "linear", "quadratic-deep"}


CONTENT = b"the very content"
FILE = DataFile("things", "thing.bin", sha256(CONTENT).hexdigest(), ["http://127.0.0.1:9/thing.bin.gz"])


def test_files_are_found_packed_or_not_and_checked(tmp_path, monkeypatch):
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "thing.bin.gz").write_bytes(gzip.compress(CONTENT))
    assert FILE.read(tmp_path) == CONTENT
    monkeypatch.setenv("FALLLINE_DATA", str(tmp_path))
    assert FILE.read() == CONTENT
    (tmp_path / "things" / "thing.bin.gz").write_bytes(gzip.compress(b"other"))
    with pytest.raises(InputError, match="not the published thing.bin"):
        FILE.read(tmp_path)
    (tmp_path / "things" / "thing.bin.gz").write_bytes(gzip.compress(CONTENT)[:10])
    with pytest.raises(InputError, match="cannot be unpacked"):
        FILE.read(tmp_path)


def test_a_missing_file_names_file_folder_and_option(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"thing.bin\[.gz\] is neither in .*things nor in .*--data-dir"):
        FILE.read(tmp_path)
    monkeypatch.delenv("FALLLINE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(InputError, match="could not be downloaded .*--data-dir or FALLLINE_DATA"):
        FILE.read()


def test_idx_files_are_parsed_and_refused():
    content = b"\x00\x00\x08\x02" + struct.pack(">II", 2, 3) + bytes(range(6))
    assert parse_idx(content, "file").tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(InputError, match="should hold 2x3 values; it holds 5"):
        parse_idx(content[:-1], "file")
    with pytest.raises(InputError, match="no IDX file"):
        parse_idx(b"PK\x03\x04", "file")

"""Every entry runs, and shows the numbers that it must."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fallline as fl
from fallline.errors import InputError
from fallline.gallery import ENTRIES, Setting, run_entry
from fallline.gallery.airfoil import REGRESSIONS, derive_bands
from fallline.gallery.concise import against_torch
from fallline.gallery.traces import WALKS
from fallline.problems import SURFACES

CLASSICAL = {"sgd", "momentum", "adagrad", "rmsprop", "adadelta", "adam"}
needs_data = pytest.mark.skipif(
    "FALLLINE_DATA" not in os.environ, reason="FALLLINE_DATA names no folder that holds the airfoil and MNIST data"
)


long = pytest.mark.skipif(
    os.environ.get("FALLLINE_CONFORMANCE") != "full", reason="half a minute or minutes each: `make conformance`"
)
LONG = ("choosing", "mnist-batch-1", "mnist-rate-1")
"""How the names begin of those that train long by ways that others go too."""


def marked(name: str) -> object:
    marks = [pytest.mark.timeout(900)]
    if name.startswith(LONG):
        marks.append(long)
    if name.startswith(("mnist", "airfoil")):
        marks.append(needs_data)
    return pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", [marked(name) for name in ENTRIES])
def test_an_entry_shows_what_it_must(name: str, tmp_path: Path) -> None:
    exhibit = run_entry(name, Setting(tmp_path))
    assert [check for check in exhibit.checks if not check.passed] == []
    assert exhibit.passed
    assert exhibit.picture.read_bytes().startswith(b"\x89PNG")
    json.dumps(exhibit.to_json(), allow_nan=False)


def test_entries_bear_their_own_names_and_say_what_they_show() -> None:
    assert [entry.name for entry in ENTRIES.values()] == list(ENTRIES)
    assert all(entry.title and entry.says.endswith(".") for entry in ENTRIES.values())


def test_every_classical_rule_is_on_every_surface_and_on_the_airfoil() -> None:
    assert {(walk.rule, walk.surface) for walk in WALKS} == {(r, s) for r in CLASSICAL for s in SURFACES}
    assert {regression.rule for regression in REGRESSIONS} == CLASSICAL


def test_listing_the_entries_loads_no_torch() -> None:
    code = "import sys; from fallline.gallery import ENTRIES; assert ENTRIES; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_input_error_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'nonzero-exact'"):
        run_entry("nonzero-exakt", Setting(tmp_path))


def test_missing_data_are_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="airfoil_self_noise.dat"):
        run_entry("airfoil-sgd", Setting(tmp_path, data_dir=tmp_path))


def test_the_comparison_with_torch_sees_another_rate(tmp_path: Path) -> None:
    results = fl.compare(
        "linear",
        [fl.rules.SGD(lr=0.01), "torch.optim.SGD:lr=0.0102"],
        protocol="sweep",
        batch_sizes=[10],
        steps=200,
        losses_every=1,
        seeds=2,
        validation=0,
        threads=1,
        store=tmp_path / "study",
        progress=False,
    )
    assert [check.passed for check in against_torch(results, steps_per_epoch=100)] == [False, False]


@needs_data
def test_bands_can_be_derived_again(tmp_path: Path) -> None:
    found = derive_bands(tmp_path, seeds=2)
    for regression in REGRESSIONS:
        low, high = found[regression.rule]
        assert regression.band[0] - 1e-4 <= low < high <= regression.band[1] + 1e-4

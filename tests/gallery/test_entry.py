"""The frame: every kind of check can fail, and settings and exhibits give what they promise."""

import json
import math
from pathlib import Path

import pytest

from fallline.errors import InputError
from fallline.gallery.entry import (
    Check,
    Entry,
    Exhibit,
    Setting,
    Shown,
    above,
    below,
    close_to,
    holds,
    printed,
    within,
)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (close_to("x", 3.02, 3, 0.1), close_to("x", 3.2, 3, 0.1)),
        (close_to("x", 3.0, 3, 0.0), close_to("x", math.nan, 3, 0.1)),
        (within("x", 0.243, 0.2417, 0.247), within("x", 0.248, 0.2417, 0.247)),
        (within("x", [0.243, 0.244], 0.2417, 0.247), within("x", [0.243, 0.24], 0.2417, 0.247)),
        (within("x", [1.0], 1.0, 1.0), within("x", [], 0, 1)),
        (below("x", 1.0, 2.0), below("x", 2.0, 2.0)),
        (below("x", [1.0, 1.5], 2.0), below("x", [1.0, math.nan], 2.0)),
        (above("x", 3.0, 2.0), above("x", [3.0, 2.0], 2.0)),
        (printed("x", 0.00004871, "0.000049"), printed("x", 0.00004849, "0.000049")),
        (printed("x", [-2.3825628, -1e-162], "-2.382563 -0.000000"), printed("x", [1.0], "1.0 2.0")),
        (printed("x", [0.5, 0.25], "0.5 0.25"), printed("x", [0.5, 0.25, 0.1], "0.5 0.25")),
        (holds("x", "never", 0, True), holds("x", "never", 3, False)),
    ],
)
def test_every_check_can_pass_and_fail(good: Check, bad: Check) -> None:
    assert good.passed is True
    assert bad.passed is False


def test_checks_say_what_was_expected_and_measured() -> None:
    assert within("loss", [0.2427234123, 0.25], 0.2417, 0.247) == Check(
        "loss", "0.2417 to 0.247", [0.2427234, 0.25], False
    )
    assert printed("w", [0.00331, 0.00068], "0.0033 0.0007").measured == "0.0033 0.0007"
    assert close_to("w", 1.5, 1, 0.1).expected == "1 ± 0.1"


def test_json_holds_no_number_that_json_lacks() -> None:
    check = below("loss", [math.inf, 1.0], 2.0)
    assert json.loads(json.dumps(check.to_json(), allow_nan=False)) == {
        "what": "loss",
        "expected": "below 2",
        "measured": [None, 1.0],
        "passed": False,
    }


def test_an_exhibit_holds_where_all_its_checks_do() -> None:
    entry = Entry("one", "One", "Says one.", lambda setting: Shown((), setting.folder))
    good, bad = holds("a", "b", 1, True), holds("a", "b", 1, False)
    assert Exhibit(entry, (good,), Path("one.png"), 1.0).passed
    assert not Exhibit(entry, (good, bad), Path("one.png"), 1.0).passed
    assert not Exhibit(entry, (), Path("one.png"), 1.0).passed
    assert Exhibit(entry, (good,), Path("one.png"), 1.0).to_json() == {
        "name": "one",
        "title": "One",
        "says": "Says one.",
        "passed": True,
        "checks": [{"what": "a", "expected": "b", "measured": 1, "passed": True}],
        "picture": "one.png",
        "seconds": 1.0,
    }


def test_a_store_is_new_each_time(tmp_path: Path) -> None:
    setting = Setting(tmp_path / "deep" / "gallery")
    first, second = setting.store("airfoil"), setting.store("airfoil")
    assert first != second
    assert first.is_dir()
    assert second.is_dir()
    assert setting.picture("airfoil") == tmp_path / "deep" / "gallery" / "airfoil.png"


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for ask in (Setting(tmp_path / "file").store, Setting(tmp_path / "file" / "x").picture):
        with pytest.raises(InputError, match="cannot be made"):
            ask("one")

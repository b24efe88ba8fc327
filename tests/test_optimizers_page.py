"""docs/optimizers.md is what its script makes of the code."""

import re

from fallline.study.abilities import WRAPPERS
from fallline.study.algorithms import BUILT_IN
from tests.scripts import ROOT, loaded

PAGE = ROOT / "docs" / "optimizers.md"


def test_the_page_is_what_the_script_makes():
    text = PAGE.read_text(encoding="utf-8")
    assert loaded("scripts/build_optimizers.py").filled(text) == text, "run: python scripts/build_optimizers.py"


def test_every_rule_and_wrapper_has_a_section_and_every_rule_a_picture():
    text = PAGE.read_text(encoding="utf-8")
    sections = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert {kind.__name__ for kind in (*BUILT_IN.values(), *WRAPPERS.values())} == sections
    pictures = ROOT / "docs" / "pictures" / "optimizers"
    assert {path.stem for path in pictures.glob("*.png")} == set(BUILT_IN)
    assert sum(path.stat().st_size for path in pictures.glob("*.png")) < 1_500_000

"""docs/optimizers.md is what its script makes of the code."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from fallline.study.abilities import WRAPPERS
from fallline.study.contenders import BUILT_IN

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "optimizers.md"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_optimizers", ROOT / "scripts" / "build_optimizers.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_is_what_the_script_makes():
    text = PAGE.read_text(encoding="utf-8")
    assert script().filled(text) == text, "run: python scripts/build_optimizers.py"


def test_every_rule_and_wrapper_has_a_section_and_every_rule_a_picture():
    text = PAGE.read_text(encoding="utf-8")
    sections = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert {kind.__name__ for kind in (*BUILT_IN.values(), *WRAPPERS.values())} == sections
    pictures = ROOT / "docs" / "pictures" / "optimizers"
    assert {path.stem for path in pictures.glob("*.png")} == set(BUILT_IN)
    assert sum(path.stat().st_size for path in pictures.glob("*.png")) < 1_500_000

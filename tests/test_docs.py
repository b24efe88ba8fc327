"""Every Python block of the documentation runs, and every `fallline` command of the pages that teach step by step."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fallline.study.file import read_study_file
from tests.commands import shortened
from tests.terminal import fallline

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").glob("*.md") if ".zh." not in page.name)]
BLOCK = re.compile(r"^```(python|sh)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_the_python_of_a_page_runs(page, tmp_path):
    lines = []
    for language, label, code in BLOCK.findall(page.read_text()):
        if language == "python" and label.strip().startswith("file="):
            (tmp_path / label.strip().removeprefix("file=")).write_text(code)
        elif language == "python":
            lines.append(code)
    (tmp_path / "page.py").write_text("\n".join(lines))
    run = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


SHORT = {
    "compare": ["--epochs", "1", "--seeds", "1", "--threads", "1"],
    "train": ["--epochs", "2", "--threads", "1"],
}


@pytest.mark.parametrize(("page", "commands"), [("own-rule.md", 3), ("tutorial.md", 4)])
def test_the_commands_of_a_page_run(page, commands, tmp_path):
    blocks = BLOCK.findall((ROOT / "docs" / page).read_text())
    for _, label, code in blocks:
        if label.strip().startswith("file="):
            (tmp_path / label.strip().removeprefix("file=")).write_text(code)
    found = [line for language, _, code in blocks if language == "sh" for line in code.splitlines() if line]
    assert len(found) == commands
    for command in found:
        words = shlex.split(command)
        words = shortened(words, SHORT.get(words[1], []))
        if words[1] == "compare" and "sweep" not in words:
            words = shortened(words, ["--final-seeds", "1"])
        if words[1] == "compare" and not any("lr=" in word for word in words):
            words = shortened(words, ["--lr", "0.01"])
        run = fallline(*words[1:], cwd=tmp_path)
        assert run.returncode == 0, (command, run.stderr)


def test_the_normalised_rule_passes_its_check(tmp_path):
    for _, label, code in BLOCK.findall((ROOT / "docs" / "own-rule.md").read_text()):
        if label.strip().startswith("file="):
            (tmp_path / label.strip().removeprefix("file=")).write_text(code)
    normalised = fallline("check", "normalised.py:Normalised", cwd=tmp_path)
    assert normalised.returncode == 0, normalised.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_chinese_page_has_the_same_code_and_outputs(page):
    every = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
    chinese = (ROOT / page.replace(".md", ".zh.md")).read_text(encoding="utf-8")
    assert every.findall(chinese) == every.findall((ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.zh.md", ROOT / "docs" / "tutorial.zh.md"], ids=lambda p: p.name
)
def test_links_within_the_repository_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_study_file_that_is_shown_is_one(tmp_path):
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "docs" / "study-files.md").read_text(), re.M | re.S)
    (tmp_path / "study.toml").write_text(shown)
    assert [entry.label for entry in read_study_file(tmp_path / "study.toml")["optimizers"]] == [None, "heavy ball"]

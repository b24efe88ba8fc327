"""The worked examples of docs/method.md are what the functions give."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "method.md"
EXAMPLE = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)


def test_every_example_prints_what_the_page_says():
    names: dict[str, object] = {}
    examples = EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))
    assert sum(bool(printed) for _, printed in examples) == 11
    for code, printed in examples:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(code, names)
        assert output.getvalue() == printed

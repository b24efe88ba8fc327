"""Write the tables of docs/benchmarks.md from benchmarks/results: `python scripts/build_benchmarks.py`."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
SIDES = ("theirs", "auto", "compiled")
MODELS = {"mlp": "784-200-10", "large": "tensors of a million numbers"}


def agreement(document: dict[str, Any]) -> str:
    lines = ["| algorithm | defaults | why | settled | by |", "|---|---|---|---|---|"]
    for name, row in document["rules"].items():
        settled = f"{row['settled_difference']:.0e}" if "settings" in row else ""
        by = row.get("settings", "")
        lines.append(f"| {name} | {row['difference']:.0e} | {row['reason']} | {settled} | {by} |")
    return "\n".join(lines)


def speed(document: dict[str, Any], model: str) -> str:
    heads = (
        MODELS[model],
        "tensors",
        *(f"{side}, ms" for side in SIDES),
        "theirs / auto",
        "theirs / compiled",
        "auto is",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, row in document["rules"].items():
        found = row["speed"][model]
        times = " | ".join(f"{found['milliseconds'][side]:.2f}" for side in SIDES)
        ratios = f"{found['theirs_over_auto']:.2f} | {found['theirs_over_compiled']:.2f}"
        lines.append(f"| {name} | {found['tensors']} | {times} | {ratios} | {found['auto_is']} |")
    said = [
        f"{name}: {text}" for name, row in document["rules"].items() for text in row["speed"][model].get("warnings", [])
    ]
    return "\n".join([*lines, *(["", *said] if said else [])])


def machine(document: dict[str, Any]) -> str:
    of, threads = document["machine"], document["threads"]
    return (
        f"pytorch_optimizer {document['pytorch_optimizer']}, torch {of['torch']}, {of['cores']} cores; the network on "
        f"{threads['mlp']} thread, the large tensors on {threads['large']}; its own classes of torch: "
        f"{', '.join(document['torchs_own'])}."
    )


def filled(page: str, document: dict[str, Any]) -> str:
    """The page with every marked part written anew."""
    parts = {
        "machine": machine(document),
        "agreement": agreement(document),
        **{model: speed(document, model) for model in MODELS},
    }
    for name, text in parts.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page = block.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)
    return page


def main() -> None:
    document = json.loads((ROOT / "benchmarks" / "results" / "pytorch_optimizer.json").read_text())
    PAGE.write_text(filled(PAGE.read_text(), document))


if __name__ == "__main__":
    main()

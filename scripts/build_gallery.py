"""Build docs/gallery.md, its pictures and the README's table from what `fallline gallery` measured:

fallline gallery --all --json --out gallery > gallery.json
python scripts/build_gallery.py gallery.json
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from fallline.gallery import CHAPTERS

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures" / "gallery"
WIDTH = 1000
COLORS = 128
SHOWN = {
    "Stochastic gradient descent on MNIST": ("mnist-batch-64", "mean training loss of epoch 5"),
    "Airfoil self-noise, linear regression": ("airfoil-adagrad", "loss on all rows"),
    "Five optimizers on a cubic": ("cubic-five", "SGD: median"),
    "Why is the loss not zero?": ("nonzero-bias", ""),
    "Why downhill is along the gradient": ("descent-direction-network", ""),
    "Vanishing and exploding gradients": ("vanishing-gradients", "sigmoid: mean fall"),
    "Regularisation": ("overfitting", "dropout 0.5 less none: gap"),
    "Choosing an optimizer": ("choosing-sparse", "'sparse features favour adaptive rules': Adagrad against SGD"),
    "A published benchmark": ("quadratic-deep", "test loss at the training mean"),
}
"""The check that stands for a chapter in the README, by the beginning of its text; else its first."""
LONGEST = 110
TABLES = {
    ROOT / "README.md": "| experiment | entries | checks | expected, for example | measured |",
    ROOT / "README.zh.md": "| 实验 | 条目 | 检查 | 预期（举例） | 测得 |",
}
CHINESE = {
    "Stochastic gradient descent on MNIST": "MNIST 上的随机梯度下降",
    "Two-dimensional traces": "二维轨迹",
    "Airfoil self-noise, linear regression": "机翼噪声，线性回归",
    "Five optimizers on a cubic": "三次曲线上的五个优化器",
    "MNIST, 784-500-10": "MNIST，784-500-10",
    "Linear regression by hand": "从零实现线性回归",
    "Why is the loss not zero?": "损失为什么不是零？",
    "Why downhill is along the gradient": "为什么下降方向沿着梯度",
    "Backpropagation by hand": "手算反向传播",
    "Vanishing and exploding gradients": "梯度消失与梯度爆炸",
    "Regularisation": "正则化",
    "Batch, stochastic, mini-batch": "全批量、随机、小批量",
    "Choosing an optimizer": "选择优化器",
    "Where the tutorials and torch differ": "教程与 torch 的不同之处",
    "A published benchmark": "已发表的基准",
}


def main(path: str) -> None:
    """Write the page, the pictures and the tables."""
    exhibits = {entry["name"]: entry for entry in json.loads(Path(path).read_text())["entries"]}
    missing = [entry.name for chapter in CHAPTERS.values() for entry in chapter if entry.name not in exhibits]
    if missing:
        sys.exit(f"{path} lacks {', '.join(missing)}: run `fallline gallery --all --json`.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    for exhibit in exhibits.values():
        shrink(Path(exhibit["picture"]), PICTURES / f"{exhibit['name']}.png")
    (ROOT / "docs" / "gallery.md").write_text(page(exhibits))
    for file, heading in TABLES.items():
        text = file.read_text()
        found = re.search(r"(<!-- gallery -->\n).*?(<!-- /gallery -->)", text, re.DOTALL)
        if found is None:
            sys.exit(f"{file} has no place for the table: <!-- gallery --> ... <!-- /gallery -->")
        file.write_text(
            text[: found.end(1)] + table(exhibits, heading, file.suffixes[0] == ".zh") + text[found.start(2) :]
        )


def shrink(source: Path, target: Path) -> None:
    """A picture small enough for a repository."""
    picture = Image.open(source).convert("RGB")
    picture.thumbnail((WIDTH, WIDTH * 4), Image.Resampling.LANCZOS)
    # Other methods merge the thin lines' colours.
    picture.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)


def page(exhibits: dict[str, Any]) -> str:
    """The gallery as a page: every entry with its picture and its checks."""
    seconds = sum(exhibit["seconds"] for exhibit in exhibits.values())
    lines = [
        "# Classic experiments",
        "",
        "The experiments of the tutorials on optimizers, reproduced: what was published, or derived, beside what is",
        f"measured. {count(exhibits)}, in {seconds:.0f} seconds on two cores. Run them: `fallline gallery --all`",
        "(the MNIST and airfoil entries need the data: `--data-dir`, `FALLLINE_DATA`, or a network).",
        "",
        "This page is made by `scripts/build_gallery.py` from a run of the command.",
    ]
    for chapter, entries in CHAPTERS.items():
        lines += ["", f"## {chapter}"]
        for entry in entries:
            name, exhibit = entry.name, exhibits[entry.name]
            lines += ["", f"### {entry.title}", "", f"`fallline gallery {name}`", "", entry.says, ""]
            lines += [f"![{entry.title}](pictures/gallery/{name}.png)", "", "| | expected | measured | |"]
            lines += ["|---|---|---|---|"]
            lines += [
                f"| {cell(check['what'])} | {cell(check['expected'])} | {cell(check['measured'])} "
                f"| {'holds' if check['passed'] else '**does not hold**'} |"
                for check in exhibit["checks"]
            ]
    return "\n".join(lines) + "\n"


def table(exhibits: dict[str, Any], heading: str, chinese: bool) -> str:
    """One row per chapter, with one of its checks."""
    all_of = "{} / {}" if chinese else "{} of {}"
    lines = [heading, "|---|---|---|---|---|"]
    for chapter, entries in CHAPTERS.items():
        own = [exhibits[entry.name] for entry in entries]
        checks = [check for exhibit in own for check in exhibit["checks"]]
        entry, begins = SHOWN.get(chapter, (entries[0].name, ""))
        first = next(check for check in exhibits[entry]["checks"] if check["what"].startswith(begins))
        expected = f"{cell(first['what'])}: {cell(first['expected'])}"
        lines.append(
            f"| {CHINESE[chapter] if chinese else chapter} | {all_of.format(sum(e['passed'] for e in own), len(own))} "
            f"| {all_of.format(sum(c['passed'] for c in checks), len(checks))} "
            f"| {short(expected)} | {short(cell(first['measured']))} |"
        )
    return "\n".join(lines) + "\n"


def count(exhibits: dict[str, Any]) -> str:
    """How many entries and checks hold."""
    checks = [check for exhibit in exhibits.values() for check in exhibit["checks"]]
    return (
        f"{sum(e['passed'] for e in exhibits.values())} of {len(exhibits)} entries hold, "
        f"{sum(c['passed'] for c in checks)} of {len(checks)} checks"
    )


def short(text: str) -> str:
    """Text that fits a cell of the README."""
    return text if len(text) <= LONGEST else text[: LONGEST - 3].rstrip() + "..."


def cell(value: Any) -> str:
    """A value as the text of a cell."""
    if isinstance(value, list):
        shown = [cell(item) for item in value]
        return ", ".join(shown) if len(shown) <= 8 else f"{', '.join(shown[:4])}, ... {shown[-1]} ({len(shown)} values)"
    text = f"{value:.7g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main(*sys.argv[1:])

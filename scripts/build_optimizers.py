"""Fill the tables and formulas of docs/optimizers.md from the catalogue, and draw its pictures:

python scripts/build_optimizers.py              # the page
python scripts/build_optimizers.py --pictures   # and the pictures
"""

import math
import re
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from fallline.study.catalogue import catalogue, wrappers
from fallline.study.facts import facts, hyperparameter, large, words_of_state

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "optimizers.md"
PICTURES = ROOT / "docs" / "pictures" / "optimizers"
SURFACE = "quadratic"
STEPS = 60
COLORS = 160
WIDTH = 640
MATRIX_STEPS = 200


def main(arguments: list[str]) -> None:
    """Write the page and, where asked, the pictures."""
    if arguments not in ([], ["--pictures"]):
        sys.exit(__doc__)
    if arguments:
        draw()
    PAGE.write_text(filled(PAGE.read_text()))


def filled(text: str) -> str:
    """The page with everything between its marks written anew."""
    rules, around = catalogue(), wrappers()
    parts = {
        "rules": overview(rules),
        "formulas": "\n".join(section(entry) for entry in rules),
        "wrappers": overview_of_wrappers(around),
        "wrapper formulas": "\n".join(section(entry) for entry in around),
        "sizes": sizes(rules),
    }
    for mark, part in parts.items():
        begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
        found = re.search(f"{re.escape(begin)}.*?{re.escape(end)}", text, re.DOTALL)
        if found is None:
            sys.exit(f"{PAGE} has no place for {begin}...{end}")
        text = f"{text[: found.start()]}{begin}{part}\n{end}{text[found.end() :]}"
    return text


def overview(entries: list[dict[str, Any]]) -> str:
    """One row per rule."""
    lines = [
        "| rule | acts on | words | complex | sparse | sharded | torch | besides |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for entry in entries:
        said = facts(entry)
        besides = [said.get("asks for", ""), "evaluated at weights of its own" if "evaluated" in said else ""]
        lines.append(
            row(
                link(entry),
                said["acts on"],
                words_of_state(entry),
                *(tick(entry[key]) for key in ("complex", "sparse", "sharded")),
                "yes" if entry["exchanges_state"] else "",
                "; ".join(filter(None, besides)),
            )
        )
    return "\n".join(lines)


def overview_of_wrappers(entries: list[dict[str, Any]]) -> str:
    """One row per wrapper."""
    lines = ["| wrapper | acts on | words | complex | sparse | besides |", "|---|---|---|---|---|---|"]
    for entry in entries:
        said = facts(entry)
        besides = [said.get("asks for", ""), "evaluated at weights of its own" if "evaluated" in said else ""]
        lines.append(
            row(
                link(entry),
                said["acts on"],
                words_of_state(entry),
                *(tick(entry[key]) for key in ("complex", "sparse")),
                "; ".join(filter(None, besides)),
            )
        )
    return "\n".join(lines)


def section(entry: dict[str, Any]) -> str:
    """A rule or wrapper in full."""
    lines = [f"### {spelled(entry)}", "", entry["source"], ""]
    for note in entry["notes"]:
        lines += [note, ""]
    if "search" in entry:
        lines += [f"![{spelled(entry)}](pictures/optimizers/{entry['name']}.png)", ""]
    lines += ["```py", entry["formula"], "```", ""]
    if entry["hyperparameters"]:
        lines += ["| hyperparameter | default | may be | searched |", "|---|---|---|---|"]
        for name, field in entry["hyperparameters"].items():
            searched = entry.get("search", {}).get(name)
            tried = f"{searched[0]:g} to {searched[1]:g}" if searched else ""
            lines.append(row(f"`{name}`", f"`{field['default']}`", hyperparameter(field), tried))
        lines.append("")
    lines += [f"- {heading}: {sentence}" for heading, sentence in facts(entry).items()]
    return "\n".join([*lines, ""])


def sizes(entries: list[dict[str, Any]]) -> str:
    """From how many weights on each rule is compiled, the earliest first."""
    compiled = sorted((entry["compiled_from"], spelled(entry)) for entry in entries if entry["compiled_from"])
    never = [spelled(entry) for entry in entries if not entry["compiled_from"]]
    lines = ["| compiled from, weights on a CPU | rules |", "|---|---|"]
    lines += [
        row(large(start), ", ".join(name for other, name in compiled if other == start))
        for start in dict.fromkeys(start for start, _ in compiled)
    ]
    return "\n".join([*lines, row("never", ", ".join(never))])


def spelled(entry: dict[str, Any]) -> str:
    """The name of the class."""
    return str(entry["class"].rpartition(".")[2])


def link(entry: dict[str, Any]) -> str:
    return f"[{spelled(entry)}](#{spelled(entry).lower()})"


def tick(answer: dict[str, Any]) -> str:
    """Yes or nothing, with what changes it."""
    but = ", ".join(answer["changed_by"])
    if not answer["holds"]:
        return f"with {but}" if but else ""
    return f"not with {but}" if but else "yes"


def row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def draw() -> None:
    """A picture of every rule: its path on a surface, or a loss where it must see a matrix."""
    from fallline.study.algorithms import BUILT_IN

    torch.set_num_threads(1)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    for name, kind in BUILT_IN.items():
        picture = PICTURES / f"{name}.png"
        draw_losses(kind, picture) if kind.acts_on == "matrix" else draw_path(kind, picture)
        shrink(picture)


def draw_path(kind: Any, picture: Path) -> None:
    """The path on the surface with that of the seven rates of a study on whose way f is least on average."""
    from fallline.problems import surface
    from fallline.report import figures
    from fallline.training import trace

    where = surface(SURFACE)
    paths = {lr: trace(where, kind(lr=lr), steps=STEPS) for lr in rates(kind)}
    values = {lr: float(where.function(*torch.from_numpy(path.T)).mean()) for lr, path in paths.items()}
    best = least(values)
    figures.save_trace(paths[best], where, f"{kind.__name__}(lr={best:.3g})", picture)


def draw_losses(kind: Any, picture: Path) -> None:
    """The loss on a small matrix problem beside AdamW's, each with that of a study's rates which is best on average."""
    from matplotlib.figure import Figure

    from fallline.report.canvas import headline, save, styled
    from fallline.rules import AdamW

    drawn = []
    for rule, color in ((AdamW, "#0072B2"), (kind, "#D55E00")):
        losses = {lr: matrix_losses(rule(lr=lr, weight_decay=0.0)) for lr in rates(rule)}
        best = least({lr: sum(found) for lr, found in losses.items()})
        drawn.append((losses[best][-1], losses[best], f"{rule.__name__}(lr={best:.3g})", color))
    with styled():
        figure = Figure(figsize=(8, 4.6))
        ax = figure.add_axes((0.1, 0.12, 0.62, 0.7))
        for above, (last, found, label, color) in enumerate(sorted(drawn)):
            ax.plot(found, color=color, linewidth=1.8)
            # The names stand apart where the ends do not.
            place = (MATRIX_STEPS, last), (6, 7 if above else -7)
            ax.annotate(label, *place, textcoords="offset points", color=color, va="center")
        ax.set(yscale="log", xlabel="step", ylabel="loss", xlim=(0, MATRIX_STEPS))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        headline(
            figure, f"{kind.__name__} on a small matrix problem", "mean of (A X - B)^2, X 16 x 8, A of condition 30"
        )
        save(figure, picture)


def matrix_losses(rule: Any) -> list[float]:
    """The losses of least squares for a matrix whose problem is stretched 30 times along some directions."""
    from fallline.optim import Optimizer

    generator = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(16, 16, generator=generator, dtype=torch.float64))[0] for _ in range(2))
    a = left @ torch.diag(torch.logspace(0, -1.4771, 16, dtype=torch.float64)) @ right
    b = a @ torch.randn(16, 8, generator=generator, dtype=torch.float64)
    x = torch.zeros(16, 8, dtype=torch.float64, requires_grad=True)
    optimizer = Optimizer([x], rule, executor="reference")
    losses = []
    for _ in range(MATRIX_STEPS + 1):
        optimizer.zero_grad()
        loss = (a @ x - b).square().mean()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return losses


def rates(kind: Any) -> tuple[float, ...]:
    """The rates that a study tries."""
    from fallline.study.values import TRIALS

    return kind.search["lr"].grid(TRIALS)  # type: ignore[no-any-return]


def least(values: dict[float, float]) -> float:
    """The rate with the least finite value."""
    return min((lr for lr, value in values.items() if math.isfinite(value)), key=values.__getitem__)


def shrink(picture: Path) -> None:
    """A picture small enough for a repository."""
    image = Image.open(picture).convert("RGB")
    image.thumbnail((WIDTH, WIDTH * 4), Image.Resampling.LANCZOS)
    image.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])

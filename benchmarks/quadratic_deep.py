"""Does the ranking on `quadratic-deep` depend on the replayed order? `python benchmarks/quadratic_deep.py`

Plain descent, Momentum 0.99 and Adam, each with 36 learning rates from 1e-5 to 1e2, three seeds of each; the rate with
the least validation loss is trained again on ten seeds that chose nothing, and these are judged. Twice: with one order
of the rows that every epoch replays, as in the sweeps that are published for this problem, and with a new one for every
epoch. 100 epochs of 7 steps, 708 trainings, a few minutes.

Prints the tables of docs/quadratic-deep.md and writes them there, benchmarks/results/quadratic_deep.json and the
picture. `--page` does so from the results that are kept. `--quick` is small and writes nothing.
"""

import argparse
import json
import math
import re
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import torch

import fallline as fl
from fallline.gallery.pictures import figure, save
from fallline.gallery.seeds import draw_pairs
from fallline.plain import finite
from fallline.report import canvas
from fallline.report.colors import looks
from fallline.statistics import Terms, Verdict, verdict
from fallline.study.environment import cpu

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "quadratic_deep.json"
PAGE = ROOT / "docs" / "quadratic-deep.md"
PICTURE = ROOT / "docs" / "pictures" / "quadratic-deep.png"
OPTIMIZERS = {"SGD": "sgd", "Momentum 0.99": "momentum:momentum=0.99", "Adam": "adam"}
ORDERS = {"fixed": "one order, replayed", "reshuffle": "a new order every epoch"}
LEAST, LARGEST, RATES = 1e-5, 1e2, 36


def study(order: str, folder: Path, quick: bool) -> dict[str, Any]:
    """The whole protocol with one kind of order, in plain values."""
    rates = fl.log(1e-3, 1e-1, 3) if quick else fl.log(LEAST, LARGEST, RATES)
    results = fl.compare(
        "quadratic-deep",
        list(OPTIMIZERS.values()),
        lrs=rates,
        order=order,
        epochs=5 if quick else None,
        seeds=1 if quick else 3,
        final_seeds=10,
        runner="population",
        threads=1,
        store=folder / order,
        progress=not quick,
    )
    titles = dict(zip([o.label for o in results.specification.optimizers], OPTIMIZERS, strict=True))
    rows = {titles[row.optimizer]: row for row in results.ranking}
    tried: dict[str, Any] = {}
    for title, row in rows.items():
        own = [record for record in results.searched if record["optimizer"] == row.optimizer]
        tried[title] = {
            "lr": list(rates),
            **{
                split: [median(r.final(split) for r in own if r["hyperparameters"]["lr"] == rate) for rate in rates]
                for split in ("validation_loss", "test_loss")
            },
            "diverged": [sum(r.diverged for r in own if r["hyperparameters"]["lr"] == rate) for rate in rates],
        }
    return {
        "order": order,
        "members": len(results.records),
        "search_seeds": len({record["seed"] for record in results.searched}),
        "search_digest": results.specification.search_digest,
        "best": {
            title: {
                "lr": row.hyperparameters["lr"],
                "edges": list(row.edges),
                **{
                    name: [run.final(name) for run in sorted(row.winners, key=lambda run: int(run["seed"]))]
                    for name in ("train_loss", "validation_loss", "test_loss")
                },
            }
            for title, row in rows.items()
        },
        "search": tried,
        "verdict": judged(rows, len(rates)).plain(),
    }


def judged(rows: dict[str, Any], trials: int) -> Verdict:
    """The verdict on the runs that chose nothing, by the titles of the optimizers."""
    finals = {
        title: [run.final("test_loss") for run in sorted(row.winners, key=lambda run: int(run["seed"]))]
        for title, row in rows.items()
    }
    return verdict(finals, Terms("test loss", trials=trials))


def tables(document: dict[str, Any]) -> str:
    """What was found, as the page shows it."""
    lines: list[str] = []
    for found in document["studies"]:
        lines += [
            f"**{ORDERS[found['order']].capitalize()}**",
            "",
            "| | best lr | test loss, median | of ten seeds | training loss, median |",
            "|---|---|---|---|---|",
        ]
        for title, best in found["best"].items():
            test = best["test_loss"]
            lines.append(
                f"| {title} | {best['lr']:.3g} | {median(test):.3f} | {min(test):.3f} to {max(test):.3f} "
                f"| {median(best['train_loss']):.3f} |"
            )
        lines += ["", *(f"- {pair['words']}" for pair in found["verdict"]["comparisons"]), ""]
    machine = document["machine"]
    lines.append(
        f"{sum(found['members'] for found in document['studies'])} trainings; "
        f"torch {machine['torch']}, {machine['cpu']}."
    )
    return "\n".join(lines)


def filled(page: str, document: dict[str, Any]) -> str:
    """The page with its tables."""
    place = re.compile(r"(<!-- found -->\n).*?(<!-- /found -->)", re.DOTALL)
    if place.search(page) is None:
        sys.exit(f"{PAGE} has no place for the tables: <!-- found --> ... <!-- /found -->")
    return place.sub(lambda found: f"{found[1]}{tables(document)}\n{found[2]}", page)


def draw(document: dict[str, Any], path: Path) -> None:
    """The sensitivity to the rate under both orders, and the ten runs of each winner."""
    with canvas.styled():
        drawn, (*sweeps, ends) = figure("quadratic-deep: one order replayed, and a new one every epoch", columns=3)
        for axes, found in zip(sweeps, document["studies"], strict=True):
            for title, look in looks(OPTIMIZERS).items():
                swept, best = found["search"][title], found["best"][title]
                losses = [math.nan if loss is None else loss for loss in swept["test_loss"]]
                axes.plot(swept["lr"], losses, ".-", color=look.color, linewidth=1, label=title)
                axes.axvline(best["lr"], color=look.color, linestyle=":", linewidth=1)
            axes.set(xscale="log", xlabel="learning rate", ylabel="test loss after 100 epochs", ylim=(86.5, 93))
            axes.set_title(ORDERS[found["order"]])
            axes.legend(loc="upper left")
        columns = {
            f"{title.split()[0]},\n{'replayed' if found['order'] == 'fixed' else 'new orders'}": found["best"][title][
                "test_loss"
            ]
            for title in OPTIMIZERS
            for found in document["studies"]
        }
        draw_pairs(ends, columns, "test loss, ten seeds at the best rate")
        ends.tick_params(axis="x", labelsize=8)
        save(drawn, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="only the page and the picture, from the results kept")
    parser.add_argument("--quick", action="store_true", help="few rates and epochs; nothing is written")
    options = parser.parse_args()
    if options.page:
        document = json.loads(RESULTS.read_text())
    else:
        with tempfile.TemporaryDirectory() as folder:
            studies = [study(order, Path(folder), options.quick) for order in ORDERS]
        machine = {"cpu": cpu(), "torch": torch.__version__, "fallline": fl.__version__}
        document = finite({"what": "quadratic-deep, replayed and new orders", "machine": machine, "studies": studies})
    print(tables(document))
    if options.quick:
        return
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), document))
    draw(document, PICTURE)


if __name__ == "__main__":
    main()

"""Write the tables of docs/benchmarks.md from benchmarks/results: `python scripts/build_benchmarks.py`."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results"
STUDIES = (
    "cubic-compiled",
    "cubic-population",
    "five-compiled",
    "digits-population",
    "mnist-compiled",
    "members-compiled",
)
SIDES = ("theirs", "auto", "compiled")
MODELS = {"mlp": "784-200-10", "large": "tensors of a million numbers"}


def measured(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return document


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


def steps(document: dict[str, Any]) -> str:
    """One step beside torch's: milliseconds, and the ratios that count."""
    sides = {"torch": "default", "torch-loop": "loop", "torch-foreach": "foreach", "torch-fused": "fused"}
    ours = {"auto": "auto", "compiled": "compiled"}
    heads = (document["what"].partition(",")[2].strip(), *sides.values(), *ours.values())
    ratios = ("auto / default", "best of torch / compiled", "compiled / floor", "even after")
    lines = [f"| {' | '.join((*heads, *ratios))} |", "|---" * (len(heads) + len(ratios)) + "|"]
    for name, row in document["rules"].items():
        cells = [f"{row['milliseconds'][s]:.2f}" if s in row["milliseconds"] else "" for s in (*sides, *ours)]
        found = [row.get(key) for key in ("auto_over_torch_default", "torch_best_over_compiled", "over_floor")]
        even = row.get("break_even_steps")
        cells += ["" if x is None else f"{x:.2f}" for x in found] + ["" if even is None else f"{even} steps"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    peak = max(row["peak_megabytes"] for row in document["rules"].values())
    bandwidth = f"an in-place addition moves {document['gigabytes_per_second']:.0f} GB/s"
    said = f"{_machine(document)}; {bandwidth}; compiled steps need at most {peak:.0f} MB more than they keep."
    return "\n".join([*lines, "", said])


def compilation(document: dict[str, Any]) -> str:
    lines = ["| seconds | empty caches | full caches |", "|---|---|---|"]
    lines += [f"| {what} | {cold:.2f} | {document['warm'][what]:.2f} |" for what, cold in document["cold"].items()]
    return "\n".join([*lines, "", f"{_machine(document)}."])


def calibration(document: dict[str, Any]) -> str:
    lines = [f"| {document['studies']:,} simulated studies | share |", "|---|---|"]
    for name, row in document["found"].items():
        level = f" (level {row['level']:.1%})" if "level" in row else ""
        what = name if name.startswith(("coverage", "power")) else f"a difference claimed: {name}"
        lines.append(f"| {what}{level} | {row['share']:.1%} [{row['low']:.1%}, {row['high']:.1%}] |")
    return "\n".join(lines)


def studies(names: Sequence[str]) -> str:
    """Whole studies by fallline, JAX and torch's loops, as far as they were measured."""
    measures = {
        "a member's step, us": "member_step_microseconds",
        "its matrix products alone, us": "member_step_products_microseconds",
        "first result, s": "cold_seconds",
        "again in the process, s": "whole_seconds",
        "whole process, s": "process_seconds",
        "peak memory so far, MB": "peak_bytes",
        "times torch's loop": "torch_loop_over_this",
        "times JAX": "jax_over_this",
    }
    lines = [f"| study, threads, on | trained by | {' | '.join(measures)} |", "|---" * (len(measures) + 2) + "|"]
    found = {
        path.stem: measured(path.stem) for name in names for path in sorted(RESULTS.glob(f"study-{name}-cpu-*.json"))
    }
    for name, document in found.items():
        processor = name.rpartition("-")[2]
        for threads, programs in document["threads"].items():
            for what, program in programs.items():
                for side, row in program["sides"].items():
                    cells = [_short(_told(name, row[name])) if name in row else "" for name in measures.values()]
                    by = side.replace("fallline", f"fallline, {document['runner']}")
                    lines.append(f"| {what}, {threads}, {processor} | {by} | {' | '.join(cells)} |")
    runs = [document["runs"] for document in found.values()]
    machines = dict.fromkeys(f"{of['machine']['cpu']}, {of['machine']['cores']} cores" for of in found.values())
    versions = dict.fromkeys(f"{name} {version}" for of in found.values() for name, version in of["versions"].items())
    told = f"medians of {min(runs)} to {max(runs)} fresh processes; {', '.join(versions)}."
    return "\n".join([*lines, "", f"{'; '.join(machines)}; {told}"])


def runners(document: dict[str, Any]) -> str:
    """What every runner takes, and `auto` beside the fastest."""
    names = [*next(iter(document["cases"].values()))["seconds"]]
    heads = ("16 members", *(f"{name}, s" for name in names), "auto / best", "its first / best")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for case, of in document["cases"].items():
        cells = [f"{of['seconds'][name]:.1f}" for name in names]
        ratios = [f"{of[name]:.2f}" for name in ("auto over best", "first auto over best")]
        lines.append(f"| {case} | {' | '.join([*cells, *ratios])} |")
    runs = len(next(iter(document["cases"].values()))["all"]["auto"])
    return "\n".join([*lines, "", f"{_on(document)}; medians of {runs} fresh processes."])


def outlook(document: dict[str, Any]) -> str:
    """What the cost model says of a population's steps and evaluations, and what a trial does."""
    kinds = ("step", "evaluation")
    heads = [f"{prefix}{kind}, ms" for kind in kinds for prefix in ("", "reckoned ")]
    heads = ["16 members", *heads, "looking, s", "trying, s", "without a rule"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, of in document["networks"].items():
        cells = [f"{1e3 * of[kind][what]:.1f}" for kind in kinds for what in ("measured", "reckoned")]
        cells += [f"{of['looking']:.2f}", f"{of['trying']['measured']:.1f}"]
        unknown = of["unforeseen"][0].removeprefix("aten::") if of["unforeseen"] else ""
        lines.append(f"| {name} | {' | '.join(cells)} | {unknown} |")
    return "\n".join([*lines, "", f"{_on(document)}; six optimizers have 96 members."])


def leaving(document: dict[str, Any]) -> str:
    """What it saves that members which have ended leave."""
    heads = ("members", "ended early", "they leave, s", "they stay, s", "stay / leave", "final losses differ by")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for of in document["rows"]:
        seconds = f"{of['leave_seconds']:.1f} | {of['stay_seconds']:.1f} | {of['stay_over_leave']:.2f}"
        ended = f"{of['ended_early']}, {of['case']}"
        lines.append(f"| {of['members']} | {ended} | {seconds} | {of['farthest_final_loss']:.0e} |")
    return "\n".join([*lines, "", f"{_machine(document)}; processor seconds of one thread."])


def _on(document: dict[str, Any]) -> str:
    threads = int(document["threads"])
    return f"{document['cpu']}, {document['cores']} cores, {threads} thread{'s' if threads > 1 else ''}"


def _told(name: str, value: float) -> float:
    return value / 1e6 if name.endswith("_bytes") else value


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _machine(document: dict[str, Any]) -> str:
    of = document["machine"]
    threads = f", {of['threads']} threads" if "threads" in of else ""
    return f"{of['cpu']}, {of['cores']} cores{threads}; medians of {document['runs']} fresh processes"


def machine(document: dict[str, Any]) -> str:
    of, threads = document["machine"], document["threads"]
    return (
        f"pytorch_optimizer {document['pytorch_optimizer']}, torch {of['torch']}, {of['cores']} cores; the network on "
        f"{threads['mlp']} thread, the large tensors on {threads['large']}; its own classes of torch: "
        f"{', '.join(document['torchs_own'])}."
    )


def filled(page: str, document: dict[str, Any]) -> str:
    """The page with every marked part written anew, `document` being the comparison with pytorch_optimizer."""
    parts = {
        "machine": machine(document),
        "agreement": agreement(document),
        **{model: speed(document, model) for model in MODELS},
        **{f"step-{model}": steps(measured(f"step-{model}-cpu")) for model in ("large", "mlp", "conv160")},
        "studies": studies(STUDIES),
        "runners": runners(measured("auto")),
        "outlook": outlook(measured("outlook")),
        "leaving": leaving(measured("leaving")),
        "compilation": compilation(measured("compilation")),
        "calibration": calibration(measured("calibration")),
    }
    for name, text in parts.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page = block.sub(lambda found, text=text: f"{found[1]}{text}\n{found[2]}", page)
    return page


def main() -> None:
    PAGE.write_text(filled(PAGE.read_text(), measured("pytorch_optimizer")))


if __name__ == "__main__":
    main()

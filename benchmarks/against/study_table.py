"""Medians and ratios of the studies, and how they are printed."""

from statistics import median
from typing import Any

Runs = dict[str, list[dict[str, Any]]]
"""What every process of a side has printed, by side."""


def told(found: dict[str, Runs]) -> dict[str, Any]:
    """What the processes said: versions, seconds that importing takes, and of digits every optimizer's best median
    validation loss.
    """
    each = [(side, one) for of in found.values() for side, several in of.items() for one in several]
    return {
        "versions": {name: of for _, one in each for name, of in one.get("versions", {}).items()},
        "xla_flags": next((one["xla_flags"] for _, one in each if "xla_flags" in one), None),
        "import_seconds": {
            side: median(one["import_seconds"] for s, one in each if s == side)
            for side in {s: None for s, one in each if "import_seconds" in one}
        },
        "validation_losses": {side: one["validation_losses"] for side, one in each if "validation_losses" in one},
    }


def summary(programs: list[dict[str, Any]], of: Runs, case: str) -> dict[str, Any]:
    """By program and side: medians, and how many times as fast as torch's loop and JAX the side is.

    `step_microseconds` is a step of all the program's members, `member_step_microseconds` of one. Of digits whole
    processes are compared: `process_seconds`.
    """
    found: dict[str, Any] = {}
    for program in programs:
        members = sum(len(contender["rates"]) for contender in program["contenders"]) * program.get("seeds", 1)
        if case == "digits":
            rows = {
                side: {"process_seconds": median(o["process_seconds"] for o in several)} for side, several in of.items()
            }
        else:
            rows = {side: _row(program["what"], members, several) for side, several in of.items()}
        for row in rows.values():
            for rival in ("torch loop", "jax"):
                if rival in rows:
                    row[f"{rival.replace(' ', '_')}_over_this"] = _deciding(rows[rival]) / _deciding(row)
        found[program["what"]] = {"members": members, "sides": rows}
    return found


def _row(what: str, members: int, several: list[dict[str, Any]]) -> dict[str, Any]:
    programs = [one["programs"][what] for one in several]
    first = programs[0]
    of = {name: median(one[name] for one in programs) for name, value in first.items() if isinstance(value, float)}
    steps = first["steps"] * first["members"]
    each = 1e6 * of["seconds"] / steps
    row = {"trained": first["members"], "member_step_microseconds": each, "step_microseconds": members * each}
    if "cpu_seconds" in of:
        row["member_step_cpu_microseconds"] = 1e6 * of["cpu_seconds"] / steps
    if "products_seconds" in of:
        row["member_step_products_microseconds"] = 1e6 * of["products_seconds"]
    also = ("cold_seconds", "whole_seconds", "whole_cpu_seconds", "peak_bytes")
    more = {name: of[name] for name in also if name in of}
    said = {name: first[name] for name in ("runner", "diverged") if name in first}
    return {**row, **more, **said}


def _deciding(row: dict[str, Any]) -> float:
    found: float = row["process_seconds"] if "process_seconds" in row else row["step_microseconds"]
    return found


def print_tables(document: dict[str, Any]) -> None:
    print(document["what"], document["machine"], document["versions"], sep="\n")
    print("importing, s:", {side: round(seconds, 2) for side, seconds in document["import_seconds"].items()})
    heads = (
        "step, us",
        "member-step",
        "on the cpu",
        "first, s",
        "study, s",
        "process, s",
        "peak, bytes",
        "torch/this",
        "jax/this",
    )
    names = ("step_microseconds", "member_step_microseconds", "member_step_cpu_microseconds", "cold_seconds")
    names += ("whole_seconds", "process_seconds", "peak_bytes", "torch_loop_over_this", "jax_over_this")
    for threads, programs in document["threads"].items():
        for what, program in programs.items():
            print(f"\n{what}, threads {threads}")
            print(f"{'':32}{'trained':>8}" + "".join(f"{head:>13}" for head in heads))
            for side, row in program["sides"].items():
                cells = "".join(f"{row[name]:13.4g}" if name in row else f"{'-':>13}" for name in names)
                runner = f" ({row['runner']})" if "runner" in row else ""
                print(f"{side + runner:32}{row.get('trained', program['members']):8}{cells}")
            for row in program["sides"].values():
                if "member_step_products_microseconds" in row:
                    print(f"its matrix products alone: {row['member_step_products_microseconds']:.1f} us a member-step")
    for side, best in document["validation_losses"].items():
        print(f"{side}: best validation losses " + ", ".join(f"{name} {best[name]:.4f}" for name in sorted(best)))
    for what, row in (document["agreement"] or {}).items():
        print(f"\n{what}: {row['stable']} of {row['trained']} trainings are stable; losses beside torch's loop:")
        for side, of in row["sides"].items():
            told = f"median difference {of['median']:.1e}, largest {of['largest']:.1e}"
            print(f"    {side}: {of['alike']} of {of['compared']} within {row['alike_below']:.0e}; {told}")

"""What records say in words: which layers vanish, explode, are dead or no longer finite."""

from fallline.diagnostics.depth import exploding, listed, records_since, vanishing
from fallline.diagnostics.records import Columns, Records

MOSTLY = 0.75
"""The part of an activation's units that must be dead, or saturated, to be said. A random layer gives 0 for about half
of all inputs, and deep in a network all rows look alike, so up to about half of the units can be 0 for every row."""

ROWS = 16
"""How many rows a unit must have been seen on: of one row alone every other unit of a healthy rectifier gives 0, of
16 one in 65,000."""


def findings(columns: Columns) -> list[str]:
    """Sentences with figures on what is wrong in the records of a watch; none where nothing is.

    `columns` are those of `Watch.columns()`, or read back from a store, in the same order. Depth, dead and saturated
    units are judged by the last record with finite gradients, with the step since when it is so. Raises InputError
    for columns without `step`.

    >>> findings({"step": [0, 10], "nonfinite_gradients/0": [0, 3], "nonfinite_gradients/2": [0, 1]})
    ["Non-finite gradients first in layer '2' at step 10 (4 values, in layers '0', '2')."]
    """
    records = Records(columns)
    return [
        *_nonfinite(records, "gradients"),
        *_nonfinite(records, "weights"),
        *exploding(records),
        *vanishing(records),
        *_dead(records),
        *_saturated(records),
    ]


def _nonfinite(records: Records, what: str) -> list[str]:
    for k, step in enumerate(records.steps):
        counts = {layer: int(count) for layer, count in records.at(f"nonfinite_{what}", k).items() if count}
        if counts:
            # Gradients come from the last layer, weights were used from the first on.
            first = list(counts)[-1 if what == "gradients" else 0]
            values = sum(counts.values())
            return [
                f"Non-finite {what} first in layer {first!r} at step {step} ({values:,} value"
                f"{'s' if values > 1 else ''}, in {listed(list(counts))})."
            ]
    return []


def _dead(records: Records) -> list[str]:
    found = []
    for name, count, units, since in _mostly(records, "dead_units"):
        last = records.last_finite()
        sizes = {} if last is None else records.at("gradient_norm", last)
        stopped = [layer for layer, size in sizes.items() if size == 0] if count == units else []
        beyond = f"; no gradient reaches {listed(stopped)}" if stopped else ""
        found.append(f"Dead units: {count} of {units} units of {name!r} (ReLU) give 0 for every row{since}{beyond}.")
    return found


def _saturated(records: Records) -> list[str]:
    return [
        f"Saturated units: {count} of {units} units of {name!r} are within 1 % of an end for every row{since}, where "
        "almost no gradient passes."
        for name, count, units, since in _mostly(records, "saturated_units")
    ]


def _mostly(records: Records, quantity: str) -> list[tuple[str, int, int, str]]:
    """Activations most of whose units are so: name, number, number of units, and since when as many."""
    last = records.last_finite()
    if last is None:
        return []
    units = records.at("units", last)
    rows = records.at("rows", last)

    def since(name: str, count: float) -> str:
        return records_since(records, last, lambda k: records.at(quantity, k).get(name, 0.0) >= count)

    return [
        (name, int(count), int(units[name]), since(name, count))
        for name, count in records.at(quantity, last).items()
        if count >= MOSTLY * units[name] and rows[name] >= ROWS
    ]

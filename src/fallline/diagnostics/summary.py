"""The last record in sentences."""

import math

from fallline.diagnostics.records import Columns, Records


def summary(columns: Columns) -> list[str]:
    """The range of gradient norms and update ratios, and the dead and saturated units, of the last record."""
    records = Records(columns)
    lines = []
    gradients = records.at("gradient_norm", -1)
    ratios = {name: ratio for name, ratio in records.at("update_ratio", -1).items() if ratio < math.inf}
    if gradients:
        low, high = (extreme(gradients, key=gradients.__getitem__) for extreme in (min, max))
        lines.append(
            f"At step {records.steps[-1]} gradient norms are {gradients[low]:.1e} (layer {low!r}) to "
            f"{gradients[high]:.1e} (layer {high!r})"
            + (
                f"; updates are {min(ratios.values()):.1e} to {max(ratios.values()):.1e} of the weights."
                if ratios
                else "."
            )
        )
    units = records.at("units", -1)
    dead = [f"{int(n)} of {int(units[name])} of {name!r}" for name, n in records.at("dead_units", -1).items() if n]
    if dead:
        lines.append(f"Units that give 0 for every row: {', '.join(dead)}.")
    saturated = [f"{part:.0%} of {name!r}" for name, part in records.at("saturated_fraction", -1).items() if part]
    if saturated:
        lines.append(f"Outputs within 1 % of an end: {', '.join(saturated)}.")
    return lines

"""Findings about depth: gradients that vanish or explode from layer to layer, or from step to step."""

import math
from collections.abc import Callable, Sequence

from fallline.diagnostics.records import Records

STEEP = 1000.0
"""How many times larger at one end of a model than at the other is vanishing or exploding. One learning rate serves all
layers, and the useful ones span about three powers of ten: past that, no rate suits both ends."""


def growth_per_layer(sizes: Sequence[float]) -> float:
    """By what factor sizes grow from each to the next: a straight line through their logarithms, by least squares.

    Zeros are left out; 1 where fewer than two remain. One odd layer bends the line little.

    >>> round(growth_per_layer([1.0, 2.0, 4.0, 0.0, 16.0]), 6)
    2.0
    """
    points = [(i, math.log(size)) for i, size in enumerate(sizes) if 0 < size < math.inf]
    if len(points) < 2:
        return 1.0
    middle = sum(i for i, _ in points) / len(points)
    return math.exp(sum((i - middle) * y for i, y in points) / sum((i - middle) ** 2 for i, _ in points))


def vanishing(records: Records) -> list[str]:
    """The gradient norm falls a thousandfold or more on its way back to the first layers, or to exactly 0."""
    last = records.last_finite()
    if last is None:
        return []
    sizes = records.at("gradient_norm", last)
    layers = list(sizes)
    nothing = _without_gradient(records, last)
    beside = f", and is exactly 0 in {listed(nothing)}" if nothing else ""
    if _end_to_end(sizes) >= STEEP:
        first = min((layer for layer in layers if sizes[layer] > 0), key=sizes.__getitem__)
        largest = max(layers[layers.index(first) :], key=sizes.__getitem__)
        since = records_since(records, last, lambda k: _end_to_end(records.at("gradient_norm", k)) >= STEEP)
        starved = [layer for layer in layers if sizes[layer] * STEEP <= sizes[largest]]
        arrives = f" Less than a thousandth arrives in {listed(starved)}." if starved else ""
        return [
            f"Vanishing gradients: the gradient norm falls from {sizes[largest]:.1e} in layer {largest!r} to "
            f"{sizes[first]:.1e} in layer {first!r}, about {growth_per_layer(list(sizes.values())):.1f} times per "
            f"layer{since}{beside}.{arrives}"
        ]
    if nothing:
        since = records_since(records, last, lambda k: bool(_without_gradient(records, k)))
        return [f"Vanishing gradients: the gradient is exactly 0 in {listed(nothing)}{since}."]
    return []


def exploding(records: Records) -> list[str]:
    """Gradients grow a thousandfold on their way back, or outputs on their way forward, or both in time."""
    last = records.last_finite()
    if last is None:
        return []
    found = []
    sizes = records.at("gradient_norm", last)
    largest = max(sizes, key=sizes.__getitem__)
    if _end_to_end(sizes) <= 1 / STEEP:
        layers = list(sizes)
        smallest = min((x for x in layers[layers.index(largest) :] if sizes[x] > 0), key=sizes.__getitem__)
        since = records_since(records, last, lambda k: _end_to_end(records.at("gradient_norm", k)) <= 1 / STEEP)
        found.append(
            f"Exploding gradients: the gradient norm grows from {sizes[smallest]:.1e} in layer {smallest!r} to "
            f"{sizes[largest]:.1e} in layer {largest!r}, about {1 / growth_per_layer(list(sizes.values())):.1f} times "
            f"per layer on the way back{since}."
        )
    outputs = records.at("output_rms", last)
    if _end_to_end(outputs) >= STEEP:
        low, high = next(iter(outputs)), max(outputs, key=outputs.__getitem__)
        since = records_since(records, last, lambda k: _end_to_end(records.at("output_rms", k)) >= STEEP)
        found.append(
            f"Exploding gradients: the outputs grow from {outputs[low]:.1e} in layer {low!r} to {outputs[high]:.1e} in "
            f"layer {high!r}, about {growth_per_layer(list(outputs.values())):.1f} times per layer{since}, and with "
            f"them the gradient norm, to {sizes[largest]:.1e} in layer {largest!r}."
        )
    return found + _exploding_in_time(records)


def records_since(records: Records, last: int, holds: Callable[[int], bool]) -> str:
    """ " since step N" where what holds in the last record began to hold after the first; otherwise nothing."""
    start = last
    while start > 0 and holds(start - 1):
        start -= 1
    return f" since step {records.steps[start]}" if start else ""


def listed(layers: Sequence[str]) -> str:
    """Layers in words.

    >>> listed(["0"]), listed(["0", "2", "4"])
    ("layer '0'", "layers '0', '2', '4'")
    """
    return f"layer{'s' if len(layers) > 1 else ''} " + ", ".join(map(repr, layers))


def _end_to_end(sizes: dict[str, float]) -> float:
    values = list(sizes.values())
    there = [i for i, size in enumerate(values) if 0 < size < math.inf]
    return growth_per_layer(values) ** (there[-1] - there[0]) if there else 1.0


def _without_gradient(records: Records, record: int) -> list[str]:
    """Layers whose gradient is exactly 0 though a later layer has one, and no layer of dead units explains it."""
    units = records.at("units", record)
    if any(units[name] == dead for name, dead in records.at("dead_units", record).items()):
        return []
    sizes = records.at("gradient_norm", record)
    layers = list(sizes)
    reached = max((i for i, layer in enumerate(layers) if sizes[layer] > 0), default=0)
    return [layer for layer in layers[:reached] if sizes[layer] == 0]


def _exploding_in_time(records: Records) -> list[str]:
    totals = {k: math.hypot(*records.at("gradient_norm", k).values()) for k in range(len(records.steps))}
    finite = {k: total for k, total in totals.items() if total > 0 and records.gradient_is_finite(k)}
    if not finite:
        return []
    start, peak = min(finite), max(finite, key=finite.__getitem__)
    if finite[peak] < STEEP * finite[start]:
        return []
    return [
        f"Exploding gradients: the gradient norm of the whole model grows from {finite[start]:.1e} at step "
        f"{records.steps[start]} to {finite[peak]:.1e} at step {records.steps[peak]}."
    ]

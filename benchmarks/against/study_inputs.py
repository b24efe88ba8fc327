"""What all sides of the studies are given: programs, data, initial weights and batches, as JSON and .npz.

A program is what one side may train at once: contenders (a rule, its settings, learning rates) on one problem with one
batch size. Weights and batches are fallline's own, so that losses can be compared.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fallline.problems import initial_model, load, prepare
from fallline.problems.sources import permutation

FIVE = {
    "SGD": {},
    "Momentum": {"momentum": 0.8},
    "Adagrad": {},
    "RMSprop": {"alpha": 0.9},
    "Adam": {"beta2": 0.99},
}
SIX = {"SGD": {}, "Momentum": {}, "Adagrad": {}, "RMSprop": {}, "Adadelta": {}, "Adam": {}}
MEMBERS = (1, 4, 16, 64, 256, 1024, 4096)


def programs(case: str, quick: bool, device: str) -> list[dict[str, Any]]:
    """The programs of a case; a quick one has fewer members and steps."""
    if device == "cuda":
        rates = _rates(1e-5, 1e-1, 50 if quick else 1000)
        return [{**_program(f"Adam x {len(rates)}", "mnist", 64, 500, {"Adam": {}}, rates), "epochs": 5}]
    if case == "cubic":
        rates = _rates(1e-4, 1, 25 if quick else 250)
        return [_program(f"Adam x {len(rates)}", "cubic", 20, 750, {"Adam": {}}, rates)]
    if case == "five":
        rates = _rates(1e-4, 1e-1, 5 if quick else 50)
        return [_program(f"5 optimizers x {len(rates)}", "cubic", 20, 750, FIVE, rates)]
    if case == "mnist":
        rates = _rates(1e-4, 1e-2, 16)
        return [
            _program(f"{rule} x 16, batch {size}", "mnist", size, 20 if quick else steps, {rule: {}}, rates)
            for size, steps in ((64, 100), (1, 200))
            for rule in ("SGD", "Adam")
        ]
    if case == "members":
        counts = MEMBERS[:4] if quick else MEMBERS
        return [
            _program(f"Adam x {count}", "cubic", 20, 750, {"Adam": {}}, _rates(1e-4, 1e-1, count)) for count in counts
        ]
    rates = _rates(1e-3, 1, 2 if quick else 8)
    epochs, seeds = (2, 2) if quick else (20, 5)
    what = f"6 optimizers x {len(rates)} rates x {seeds} seeds x {epochs} epochs"
    return [{**_program(what, "digits", 64, 0, SIX, rates), "epochs": epochs, "seeds": seeds}]


def _program(
    what: str, problem: str, batch_size: int, steps: int, rules: dict[str, Any], rates: list[float]
) -> dict[str, Any]:
    contenders = [{"rule": rule, "settings": settings, "rates": rates} for rule, settings in rules.items()]
    return {"what": what, "problem": problem, "batch_size": batch_size, "steps": steps, "contenders": contenders}


def _rates(low: float, high: float, count: int) -> list[float]:
    return [float(rate) for rate in np.geomspace(low, high, count)] if count > 1 else [(low * high) ** 0.5]


def write_inputs(folder: Path, several: list[dict[str, Any]]) -> None:
    """`programs.json`; and `arrays.npz` with x, y, the initial weights by name and `order-SIZE`, rows by step."""
    (folder / "programs.json").write_text(json.dumps(several))
    name = several[0]["problem"]
    if name == "digits":
        _write_digits(folder, several[0])
        return
    prepared = prepare(load(name), 0, torch.device("cpu"), validation=0)
    x, y = prepared.train.tensors
    weights = {path: p.detach().numpy() for path, p in initial_model(prepared, 0, 0).named_parameters()}
    orders = {f"order-{one['batch_size']}": _order(len(x), one["batch_size"], one["steps"], seed=0) for one in several}
    np.savez(folder / "arrays.npz", x=x.numpy(), y=y.numpy(), **weights, **orders)


def _write_digits(folder: Path, program: dict[str, Any]) -> None:
    """All splits; weights of every seed stacked; `order`, the rows by seed and epoch, of which the last batch is
    ragged.
    """
    prepared = prepare(load("digits"), 0, torch.device("cpu"))
    arrays: dict[str, Any] = {}
    for split, data in prepared.evaluated.items():
        for part, several in zip("xy", zip(*data.in_order(), strict=True), strict=True):
            arrays[f"{split}-{part}"] = torch.cat(several).numpy()
    models = [dict(initial_model(prepared, 0, seed).named_parameters()) for seed in range(program["seeds"])]
    for path in models[0]:
        arrays[path] = np.stack([model[path].detach().numpy() for model in models])
    arrays["order"] = np.stack(
        [
            [permutation(prepared.train.rows, 0, "order", seed, epoch).numpy() for epoch in range(program["epochs"])]
            for seed in range(program["seeds"])
        ]
    )
    np.savez(folder / "arrays.npz", **arrays)


def _order(rows: int, batch_size: int, steps: int, seed: int) -> np.ndarray:
    """The rows of every batch, (steps, batch size); an epoch's ragged last batch must not be reached."""
    whole = rows // batch_size
    if rows % batch_size and steps > whole:
        raise ValueError(f"{steps} steps of {batch_size} rows reach the ragged batch of {rows} rows.")
    epochs = -(-steps // whole)
    orders = [permutation(rows, 0, "order", seed, epoch)[: whole * batch_size] for epoch in range(epochs)]
    return torch.cat(orders).reshape(-1, batch_size)[:steps].to(torch.int32).numpy()

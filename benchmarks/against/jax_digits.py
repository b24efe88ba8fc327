"""The whole digits study in JAX: every training and its evaluations in one program; prints JSON. Run by
benchmarks/study.py, which times the process.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax_study import loss, optimizer, outputs, update
from stopwatch import measured

SPLITS = ("train", "validation", "test")


def evaluation(weights: Any, data: dict[str, Any]) -> Any:
    """Loss and accuracy on every split."""
    found = []
    for split in SPLITS:
        x, y = data[f"{split}-x"], data[f"{split}-y"]
        found += [loss(weights, x, y), jnp.mean(outputs(weights, x).argmax(-1) == y)]
    return jnp.stack(found)


def population(contenders: list[dict[str, Any]], batch_size: int) -> Any:
    """Every contender, seed and rate as one compiled program of (rates by contender, weights and orders by seed)."""

    def trained(contender: dict[str, Any], rate: Any, weights: Any, order: Any, data: dict[str, Any]) -> Any:
        made = optimizer(contender["rule"], contender["settings"], rate)
        x, y = data["train-x"], data["train-y"]
        whole = order.shape[1] // batch_size * batch_size

        def step(carried: Any, rows: Any) -> Any:
            return update(made, carried, x[rows], y[rows])

        def epoch(carried: Any, rows: Any) -> Any:
            carried, _ = jax.lax.scan(step, carried, rows[:whole].reshape(-1, batch_size))
            # The last batch is ragged.
            carried, _ = step(carried, rows[whole:])
            return carried, evaluation(carried[0], data)

        (weights, _), curve = jax.lax.scan(epoch, (weights, made.init(weights)), order)
        return curve

    def program(rates: list[Any], weights: Any, orders: Any, data: dict[str, Any]) -> list[Any]:
        curves = []
        for contender, mine in zip(contenders, rates, strict=True):

            def one(rate: Any, start: Any, order: Any, contender: Any = contender) -> Any:
                return trained(contender, rate, start, order, data)

            over_rates = jax.vmap(one, (0, None, None))
            curves.append(jax.vmap(over_rates, (None, 0, 0))(mine, weights, orders))
        return curves

    return jax.jit(program)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    arrays = dict(np.load(options.folder / "arrays.npz"))
    (program,) = json.loads((options.folder / "programs.json").read_text())
    data = jax.device_put({name: of for name, of in arrays.items() if name.startswith(SPLITS)})
    weights = {name: of for name, of in arrays.items() if name[0].isdigit()}
    rates = [jnp.asarray(contender["rates"], jnp.float32) for contender in program["contenders"]]
    run = population(program["contenders"], program["batch_size"])
    curves, took = measured(lambda: jax.block_until_ready(run(rates, weights, arrays["order"], data)))
    best = {}
    for contender, curve in zip(program["contenders"], curves, strict=True):
        # (seeds, rates, epochs, quantities), of which the third is the validation loss.
        ends = np.asarray(curve)[:, :, -1, 2]
        best[contender["rule"].lower()] = float(np.median(np.where(np.isnan(ends), np.inf, ends), axis=0).min())
    print(json.dumps({"seconds": took.seconds, "validation_losses": best}))


if __name__ == "__main__":
    main()

"""Studies as JAX trains them, `jit(vmap(scan))` with optax; prints JSON. Run by benchmarks/study.py."""

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

_began = time.perf_counter()
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
from stopwatch import measured, middle, row  # noqa: E402

IMPORT_SECONDS = time.perf_counter() - _began
Weights = dict[str, Any]


def optimizer(rule: str, settings: dict[str, float], rate: Any) -> Any:
    """optax's optimizer that takes torch's steps, with torch's defaults."""
    if rule in ("SGD", "Momentum"):
        return optax.sgd(rate, momentum=settings.get("momentum", 0.9) if rule == "Momentum" else None)
    if rule == "Adagrad":
        # optax adds eps inside the root, torch 1e-10 outside; so small, both leave the root as it is.
        return optax.adagrad(rate, initial_accumulator_value=0.0, eps=1e-20)
    if rule == "RMSprop":
        return optax.rmsprop(rate, decay=settings.get("alpha", 0.99), eps=1e-8, eps_in_sqrt=False)
    if rule == "Adadelta":
        return optax.adadelta(rate, rho=0.9, eps=1e-6)
    return optax.adam(rate, b1=0.9, b2=settings.get("beta2", 0.999), eps=1e-8)


def outputs(weights: Weights, x: Any) -> Any:
    """A network of two layers with ReLU, weights named and laid out as torch does."""
    hidden = jax.nn.relu(x @ weights["0.weight"].T + weights["0.bias"])
    return hidden @ weights["2.weight"].T + weights["2.bias"]


def loss(weights: Weights, x: Any, y: Any) -> Any:
    """Cross-entropy where the targets are classes, else the mean squared error."""
    if jnp.issubdtype(y.dtype, jnp.integer):
        return optax.softmax_cross_entropy_with_integer_labels(outputs(weights, x), y).mean()
    return jnp.mean((outputs(weights, x) - y) ** 2)


def update(made: Any, carried: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """One step: the new weights and state, and the loss before it."""
    weights, state = carried
    value, gradient = jax.value_and_grad(loss)(weights, x, y)
    change, state = made.update(gradient, state, weights)
    return (optax.apply_updates(weights, change), state), value


def train(contender: dict[str, Any], rate: Any, weights: Weights, x: Any, y: Any, order: Any) -> tuple[Weights, Any]:
    """One training: the final weights and the loss of every batch."""
    made = optimizer(contender["rule"], contender["settings"], rate)

    def step(carried: Any, rows: Any) -> tuple[Any, Any]:
        return update(made, carried, x[rows], y[rows])

    (weights, _), losses = jax.lax.scan(step, (weights, made.init(weights)), order)
    return weights, losses


def population(contenders: list[dict[str, Any]]) -> Any:
    """All trainings of all contenders as one compiled program of (rates by contender, weights, x, y, order)."""
    each = [jax.vmap(partial(train, contender), (0, None, None, None, None)) for contender in contenders]

    def program(rates: list[Any], *rest: Any) -> list[Any]:
        return [one(mine, *rest) for one, mine in zip(each, rates, strict=True)]

    return jax.jit(program)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--losses", type=Path, help="where the losses of every batch are written")
    options = parser.parse_args()
    arrays = dict(np.load(options.folder / "arrays.npz"))
    weights = jax.device_put({name: arrays[name] for name in arrays if name[0].isdigit()})
    x, y = jax.device_put((arrays["x"], arrays["y"]))
    found: dict[str, Any] = {}
    losses: dict[str, Any] = {}
    for program in json.loads((options.folder / "programs.json").read_text()):
        contenders, what = program["contenders"], program["what"]
        rates = [jnp.asarray(contender["rates"], jnp.float32) for contender in contenders]
        given = (rates, weights, x, y, jax.device_put(arrays[f"order-{program['batch_size']}"]))
        run = population(contenders)
        trained, cold = measured(lambda run=run, given=given: jax.block_until_ready(run(*given)))
        warm = [
            measured(lambda run=run, given=given: jax.block_until_ready(run(*given)))[1] for _ in range(options.repeats)
        ]
        members = sum(len(contender["rates"]) for contender in contenders)
        again = middle(warm)
        more = {"cpu_seconds": again.cpu_seconds, "cold_seconds": cold.seconds}
        found[what] = row(program["steps"], members, again.seconds, **more)
        losses[f"{what}/members"] = np.arange(members)
        curves = np.concatenate([np.asarray(of) for _, of in trained])
        losses[f"{what}/losses"] = np.where(np.isnan(curves), np.inf, curves)
    if options.losses:
        np.savez(options.losses, **losses)
    versions = {"jax": jax.__version__, "optax": optax.__version__}
    flags = os.environ.get("XLA_FLAGS", "")
    print(json.dumps({"versions": versions, "import_seconds": IMPORT_SECONDS, "xla_flags": flags, "programs": found}))


if __name__ == "__main__":
    main()

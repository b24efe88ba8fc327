"""Whether both sides take the same steps, in double precision; prints JSON. Run by benchmarks/pytorch_optimizer.py."""

import json
from importlib.metadata import version
from typing import Any

import torch
from pairs import PAIRS, TORCHS_OWN, Pair, Trial
from torch import Tensor

import fallline as fl
import pytorch_optimizer as package


def difference(pair: Pair, trial: Trial) -> float:
    """The largest distance of a weight on one side from the other's, over how far the farthest of its tensor moved."""
    torch.set_default_dtype(torch.float64 if trial.double else torch.float32)
    ours, start = trained(pair, trial, lambda params: fl.optim.Optimizer(params, trial.ours, executor="reference"))
    theirs, _ = trained(pair, trial, trial.theirs)
    return max(
        float((a - b).abs().max() / (a - p).abs().max())
        for mine, other in zip(ours, theirs, strict=True)
        for a, b, p in zip(mine, other, start, strict=True)
    )


def trained(pair: Pair, trial: Trial, make: Any) -> tuple[list[list[Tensor]], list[Tensor]]:
    """The weights after the steps, as they are trained and as they are evaluated; and those at the start."""
    generator = torch.Generator().manual_seed(0)

    def drawn() -> list[Tensor]:
        return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in trial.shapes]

    start, drift = drawn(), drawn()
    params = [p.clone().requires_grad_() for p in start]
    made = make(params)
    for _ in range(trial.steps):
        # A part that stays, so that Prodigy finds a direction.
        fixed = [d + 0.5 * noise for d, noise in zip(drift, drawn(), strict=True)]

        def closure(fixed: list[Tensor] = fixed) -> None:
            for p, g in zip(params, fixed, strict=True):
                p.grad = g + pair.curvature * p.detach()

        closure()
        made.step(*[closure] * pair.closure)
    trained = [p.detach().clone() for p in params]
    if isinstance(made, fl.optim.Optimizer):
        with made.evaluating():
            return [trained, [p.detach().clone() for p in params]], start
    if hasattr(made, "eval"):
        made.eval()
    if isinstance(made, package.Lookahead):
        made.backup_and_load_cache()
    return [trained, [p.detach().clone() for p in params]], start


def main() -> None:
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    for pair in PAIRS:
        row: dict[str, Any] = {"steps": pair.defaults.steps, "difference": difference(pair, pair.defaults)}
        row["reason"] = pair.reason
        if pair.settled is not None:
            row |= {"settings": pair.settings, "settled_steps": pair.settled.steps}
            row["settled_difference"] = difference(pair, pair.settled)
        found[pair.name] = row
    versions = {"version": version("pytorch_optimizer"), "torch": torch.__version__}
    print(json.dumps({**versions, "torchs_own": TORCHS_OWN, "rules": found}))


if __name__ == "__main__":
    main()

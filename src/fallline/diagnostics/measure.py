"""The quantities of every layer at one step."""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from fallline.diagnostics.cosine import cosine
from fallline.diagnostics.nonfinite import count_nonfinite
from fallline.diagnostics.norm import norm
from fallline.diagnostics.update_ratio import update_ratio


def measure(
    layers: Mapping[str, Sequence[nn.Parameter]], weights: Mapping[Tensor, Tensor], gradients: Mapping[Tensor, Tensor]
) -> dict[str, float]:
    """Norms, ratio, cosine and non-finite counts by `quantity/layer`, after a step.

    `weights` holds what the trained parameters were before the step, `gradients` those that the step was given. A
    layer's update, ratio and cosine are over its trained parameters; NaN where there is nothing to measure.
    """
    found: dict[str, float] = {}
    for name, own in layers.items():
        trained = [p for p in own if p in weights]
        update = [weights[p] - p.detach() for p in trained]
        gradient = [gradients[p] for p in trained if p in gradients]
        quantities = {
            "gradient_norm": norm(gradient),
            "weight_norm": norm(weights.get(p, p) for p in own),
            "update_norm": norm(update),
            "update_ratio": update_ratio(update, [weights[p] for p in trained]),
            "cosine": cosine([u for p, u in zip(trained, update, strict=True) if p in gradients], gradient),
        }
        found.update({f"{quantity}/{name}": float(value) for quantity, value in quantities.items()})
    for name, own in layers.items():
        # A norm is finite where all values are, so they are counted only where it is not.
        bad = {"gradients": [gradients[p] for p in own if p in gradients], "weights": [weights.get(p, p) for p in own]}
        for what, tensors in bad.items():
            finite = math.isfinite(found[f"{what.removesuffix('s')}_norm/{name}"])
            found[f"nonfinite_{what}/{name}"] = 0.0 if finite else float(count_nonfinite(tensors))
    return found

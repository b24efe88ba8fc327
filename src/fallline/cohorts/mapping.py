"""A function of one member, mapped over the settings and the seeds of a cohort."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map


def over_members(function: Callable[..., Any], seeds: int) -> Callable[[Any, Any], Any]:
    """Map `function(own, shared)` over `own`, whose tensors begin with the axes (settings, seeds), and `shared`, whose
    tensors begin with (seeds). Results begin with (settings, seeds). A tree may be without tensors.
    """
    if seeds == 1:
        # One seed is no axis: what all settings share then meets them as it is, without a copy for each.
        def single(own: Any, shared: Any) -> Any:
            one = tree_map(lambda x: x[0], shared)
            results = torch.vmap(lambda mine: function(mine, one))(tree_map(lambda x: x[:, 0], own))
            return tree_map(lambda x: x.unsqueeze(1), results)

        return single

    def nested(own: Any, shared: Any) -> Any:
        return torch.vmap(lambda mine: torch.vmap(function)(mine, shared))(own)

    return nested

"""Models copied whole."""

import copy

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def copied(model: nn.Module) -> nn.Module:
    """A model of its own with the same weights, buffers and hooks.

    `copy.deepcopy` refuses a tensor that was computed from parameters, as `torch.nn.utils.weight_norm` and
    `torch.nn.utils.prune` leave one as an attribute: the copy has its values, until it computes them anew.

    >>> import torch
    >>> layer = torch.nn.utils.prune.random_unstructured(torch.nn.Linear(2, 1), "weight", amount=1)
    >>> other = copied(layer)
    >>> bool((other(torch.ones(2)) == layer(torch.ones(2))).all()), other.weight is layer.weight
    (True, False)
    """
    held = [x for module in model.modules() for x in tree_leaves(dict(vars(module)))]
    computed = [x for x in (*held, *model.buffers()) if isinstance(x, Tensor) and not x.is_leaf]
    own = copy.deepcopy(model, {id(x): x.detach().clone() for x in computed})
    for p, given in zip(own.parameters(), model.parameters(), strict=True):
        if given.is_leaf and not p.is_leaf:
            # A scripted module's copy remembers where it comes from.
            p.detach_().requires_grad_(given.requires_grad)
    return own

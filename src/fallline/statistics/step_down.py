"""One error rate over all pairs of optimizers: Holm's step-down test with Shaffer's restrictions."""

from collections.abc import Sequence
from functools import cache
from math import comb

import numpy as np

from fallline.errors import WrongArgument
from fallline.statistics.sample import Numbers


def step_down(p_values: Sequence[float], optimizers: int) -> Numbers:
    """Adjusted p-values of all pairs of optimizers (Holm, 1979; Shaffer, 1986, procedure S1), in the order given.

    Rejecting all pairs with an adjusted p-value of at most alpha makes a false claim about any pair with a probability
    of at most alpha, whichever pairs really differ: strong control of the family-wise error. Pairs are taken from the
    least p-value on, each multiplied by how many of the pairs that are left can be equal all together: if a differs
    from b, no third is equal to both. The counts come from the ways to divide optimizers into groups of equals: of 15
    pairs of 6, once one is rejected at most 10 can be equal, since one optimizer at least stands apart.

    Each p-value comes from sign flips of its own pair's differences, whose null is that these are symmetric about 0.
    How the pairs hang together is left open, because no flip of all of them together is right for optimizers in
    general:

    - Flipping the signs of whole seeds, the same for all pairs (max-T), is exact only where the differences of all
      equal optimizers are symmetric *jointly*. Three that are equal but skewed are not: the rare bad run of one
      becomes, flipped, a rare good one, which never happens.
    - Permuting the optimizers within a seed is exact where all are equal; but where one differs, the reference for the
      others is mixed with its results. Restricting it to each possible group of equals would do, if these had
      the same spread too.

    Counting possible equals takes that equality passes on (a = b and b = c give a = c), as it does where
    "equal" means that the two could be swapped, or that they have one location parameter.

    >>> step_down([0.001, 0.04, 0.03], optimizers=3).tolist()
    [0.003, 0.04, 0.03]
    """
    pairs = comb(optimizers, 2)
    if len(p_values) != pairs:
        raise WrongArgument(("p_values", f" must be one for each of {pairs} pairs; got {len(p_values)}"))
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(pairs)
    so_far = 0.0
    for rejected, place in enumerate(order):
        possible = max(count for count in equal_pairs(optimizers) if count <= pairs - rejected)
        so_far = max(so_far, min(1.0, possible * p_values[place]))
        adjusted[place] = so_far
    return adjusted


@cache
def equal_pairs(optimizers: int) -> frozenset[int]:
    """The numbers of pairs that can be equal when optimizers fall into groups of equals.

    >>> sorted(equal_pairs(4))
    [0, 1, 2, 3, 6]
    """
    if optimizers == 0:
        return frozenset({0})
    return frozenset(
        comb(group, 2) + rest for group in range(1, optimizers + 1) for rest in equal_pairs(optimizers - group)
    )

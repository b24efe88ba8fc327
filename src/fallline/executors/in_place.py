"""From updates to a step: what a pure executor found is subtracted and kept."""

from collections.abc import Callable, Sequence

import torch

from fallline.executors.part import Executor, Part, Surroundings, Update


def in_place(updates: Callable[[Sequence[Part], Surroundings], list[Update]]) -> Executor:
    """The executor that makes the step which `updates` describes."""

    def step(parts: Sequence[Part], around: Surroundings) -> None:
        with torch.no_grad():
            for part, update in zip(parts, updates(parts, around), strict=True):
                update.make(part)

    return step

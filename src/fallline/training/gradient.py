"""The loss and gradient of one update, the same for everything that trains."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from fallline.problems.objective import Objective
from fallline.randomness import seed_global, torch_stream
from fallline.training.dropout import KeyedDropout, has_dropout


class KeyedGradient:
    """Computes a model's loss on a batch and its gradient, with all chance keyed by seed, index and step: what is drawn
    from the global generators, and the masks of dropout. Call it inside `forked()`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        objective: Objective,
        device: torch.device,
        seed: int,
        index: int = 0,
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._objective = objective
        self._device = device
        self._seed = seed
        self._index = index
        self.evaluations = 0
        """How many gradients were computed."""
        # Dropout that is no module shows itself when it is called first.
        self._dropout = True
        self._modules = has_dropout(model)
        own = getattr(optimizer.zero_grad, "__func__", None) is not torch.optim.Optimizer.zero_grad
        self._zero_grad = optimizer.zero_grad if own else self._drop_gradients

    def _drop_gradients(self) -> None:
        """What torch's `zero_grad` does, without its profiling, which takes longer than the work."""
        for group in self._optimizer.param_groups:
            for p in group["params"]:
                p.grad = None

    def closure(self, batch: Any, step: int) -> Callable[[], Any]:
        """What an optimizer calls for the loss of a batch, its gradient in the parameters; each call draws alike."""

        def draw(shape: torch.Size, call: int, device: torch.device) -> Tensor:
            generator = torch_stream(self._seed, f"dropout/{call}", self._index, step, device)
            return torch.rand(shape, generator=generator, device=device)

        def closure() -> Any:
            self.evaluations += 1
            seed_global(self._seed, "step", self._index, step, self._device)
            self._zero_grad()
            with KeyedDropout(draw) if self._dropout else nullcontext() as keyed:
                loss = self._objective.loss(self._model, batch)
            self._dropout = self._dropout and (self._modules or keyed is None or keyed.used)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        return closure

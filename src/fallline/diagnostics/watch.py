"""Watching a user's own training loop."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fallline.diagnostics.findings import findings
from fallline.diagnostics.forward import Forward
from fallline.diagnostics.layers import layers, names
from fallline.diagnostics.measure import measure
from fallline.diagnostics.summary import summary
from fallline.errors import InputError


class Watch:
    """Records gradients, weights, updates and activations of a training loop, which stays as it is.

    `model` is what the loop calls, `optimizer` any `torch.optim.Optimizer` that trains its parameters. Every `every`
    steps, beginning with the first, one step is recorded; `every=None` records only the steps that `next_step` asks
    for. Nothing in the training changes, not by a bit: no random number is drawn and no graph is kept. On the other
    steps the cost is a counter; a recorded step holds a second copy of the weights and gradients while it lasts.

    Activations are seen in the last run of the model forward, with gradients enabled, before the step; not those of
    a model that is compiled (`torch.compile`) or run under `torch.func`. Raises InputError for a model without
    parameters, an optimizer that trains none of them, and an `every` below 1.

    >>> import fallline as fl
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> watch = fl.diagnostics.Watch(model, optimizer, every=5)
    >>> for _ in range(20):
    ...     optimizer.zero_grad()
    ...     model(torch.ones(4, 2)).square().mean().backward()
    ...     optimizer.step()
    >>> watch.columns()["step"]
    [0.0, 5.0, 10.0, 15.0]
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, every: int | None = 100) -> None:
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise InputError(f"Watch(model, optimizer) needs a torch.optim.Optimizer; got {type(optimizer).__name__}.")
        if every is not None and (not isinstance(every, int) or every < 1):
            raise InputError(f"every must be a number of steps, 1 or more, or None; got {every!r}.")
        self._layers = layers(model)
        self._optimizer = optimizer
        if not any(p in self._trained() for own in self._layers.values() for p in own):
            raise InputError(
                f"The optimizer trains no parameter of this {type(model).__name__}: make it from model.parameters()."
            )
        self._model = model
        self._every = every
        self._steps = 0
        self._records: list[dict[str, float]] = []
        self._forward = Forward(names(model))
        self._activations: dict[str, float] = {}
        self._weights: dict[Tensor, Tensor] = {}
        self._gradients: dict[Tensor, Tensor] = {}
        self._forward_hooks: list[Any] = []
        self._step_hooks = [
            optimizer.register_step_pre_hook(self._before_step),
            optimizer.register_step_post_hook(self._after_step),
        ]
        self._arm_if_due()

    def next_step(self) -> None:
        """Record the next step, whichever it is; call it before the model runs forward."""
        if self._step_hooks and not self._forward_hooks:
            self._activations = {}
            self._forward_hooks = [
                self._model.register_forward_pre_hook(_Hook(self._before_forward)),
                self._model.register_forward_hook(_Hook(self._after_forward), always_call=True),
            ]

    def columns(self) -> dict[str, list[float]]:
        """What was recorded, a column per quantity and layer or activation, in the model's order.

        `step` is the number of updates made before; of the step that followed there are, for each layer,
        `gradient_norm/NAME` (of the gradient that the optimizer was given), `weight_norm/NAME` (before the update),
        `update_norm/NAME`, `update_ratio/NAME` (of these two), `cosine/NAME` (of update and gradient, 1 is straight
        downhill), `nonfinite_gradients/NAME`, `nonfinite_weights/NAME`, and `output_rms/NAME`, the root of the mean
        square of its output. For each activation `units/NAME` and `rows/NAME` (outputs of each unit); for a ReLU
        `dead_units/NAME` and `dead_fraction/NAME` (of the units); for a sigmoid or tanh `saturated_units/NAME` and
        `saturated_fraction/NAME` (of all outputs). NaN where there was nothing to measure, as with a layer that has
        no gradient.
        """
        keys = dict.fromkeys(key for record in self._records for key in record)
        return {key: [record.get(key, math.nan) for record in self._records] for key in keys}

    def report(self) -> str:
        """What was found, and the last record, in sentences."""
        if not self._records:
            return f"{self._steps} steps, 0 of them recorded.\nNothing to judge by yet."
        columns = self.columns()
        head = f"{self._steps} steps, {len(self._records)} of them recorded."
        return "\n".join(
            [head, *(findings(columns) or ["No layer vanishes, explodes, is dead or non-finite."]), *summary(columns)]
        )

    def close(self) -> None:
        """Take the hooks off the optimizer and the model; the records stay.

        Where Ctrl-C struck inside the model, it is this that takes the watch off (or the model's next run forward).
        """
        for hook in self._step_hooks:
            hook.remove()
        self._step_hooks = []
        self._disarm()
        self._forward.abandon()
        self._weights, self._gradients = {}, {}

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _trained(self) -> set[Tensor]:
        return {p for group in self._optimizer.param_groups for p in group["params"]}

    def _arm_if_due(self) -> None:
        if self._every is not None and self._steps % self._every == 0:
            self.next_step()

    def _before_forward(self, module: nn.Module, args: Any) -> None:
        if torch.is_grad_enabled():
            self._forward.begin(module)

    def _after_forward(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._forward.watching:
            self._activations = self._forward.end(module, output)

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> Any:
        if not self._forward_hooks:
            return None
        trained = self._trained()
        self._weights = {p: p.detach().clone() for own in self._layers.values() for p in own if p in trained}
        if len(args) > 1 and args[1] is not None:
            return (args[0], self._watched(args[1]), *args[2:]), kwargs
        if kwargs.get("closure") is not None:
            return args, {**kwargs, "closure": self._watched(kwargs["closure"])}
        self._take_gradients()
        return None

    def _watched(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        def watched() -> Any:
            loss = closure()
            # Later calls are made at other weights (LBFGS, sharpness-aware rules).
            if self._forward_hooks:
                self._take_gradients()
            return loss

        return watched

    def _take_gradients(self) -> None:
        self._gradients = {p: p.grad.detach().clone() for p in self._weights if p.grad is not None}
        self._disarm()

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._weights:
            self._disarm()
            kept = (self._layers, self._weights, self._gradients)
            self._records.append({"step": float(self._steps), **measure(*kept), **self._activations})
            self._weights, self._gradients = {}, {}
        self._steps += 1
        self._arm_if_due()

    def _disarm(self) -> None:
        for hook in self._forward_hooks:
            hook.remove()
        self._forward_hooks = []


class _Hook:
    """A hook on a model; copies of the model, in memory or on disk, are not watched."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> None:
        self._call(*args)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Hook, (_ignore,)


def _ignore(*args: Any) -> None:
    """What the hook of a copy does."""

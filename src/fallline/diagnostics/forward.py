"""Watching one run of a model forward: its activation functions and the size of its layers' outputs."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack, _pop_mode, _push_mode
from torch.utils._pytree import tree_leaves

from fallline.diagnostics.norm import norm
from fallline.diagnostics.reading import Activation, Reading

_RELU, _RELU6 = Activation("relu"), Activation("relu6")
_SIGMOID, _TANH = Activation("sigmoid", (0.0, 1.0)), Activation("tanh", (-1.0, 1.0))
ACTIVATIONS: dict[Callable[..., Any], Activation] = {
    functional.relu: _RELU,
    torch.relu: _RELU,
    torch.relu_: _RELU,
    Tensor.relu: _RELU,
    Tensor.relu_: _RELU,
    functional.relu6: _RELU6,
    torch.sigmoid: _SIGMOID,
    torch.sigmoid_: _SIGMOID,
    torch.special.expit: _SIGMOID,
    Tensor.sigmoid: _SIGMOID,
    Tensor.sigmoid_: _SIGMOID,
    torch.tanh: _TANH,
    torch.tanh_: _TANH,
    Tensor.tanh: _TANH,
    Tensor.tanh_: _TANH,
}
"""What is seen. Activations without a flat part of zero slope (leaky ReLU, GELU, SiLU) have no dead units."""

_FEATURES_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding)


class Forward(TorchFunctionMode):
    """Sees every activation that a model computes between `begin` and `end`, as a module or as a function.

    An activation module bears its own name (`1`); a function that of the layer before it (`conv1:relu`), and so does
    a module that serves several layers. Units lie along the last axis of what follows a linear, embedding or
    layer-norm layer, along axis 1 otherwise. A sigmoid or tanh that no layer follows is the model's answer, which
    should reach its ends, and is left out.
    """

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self._modules = modules
        self._names = {module: name for name, module in modules.items()}
        self.watching = False
        self._outer: list[TorchFunctionMode] = []
        self._handles: list[Any] = []
        self._clear()

    def _clear(self) -> None:
        self._readings: dict[tuple[str, str, str, int], Reading] = {}
        self._output_rms: dict[str, Tensor] = {}
        self._running: list[nn.Module] = []
        self._layer: nn.Module | None = None
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def begin(self, model: nn.Module) -> None:
        """Start to watch a model that is about to run, unless part of it is compiled or all of it is under vmap.

        What an interrupted run left behind is dropped.
        """
        self.abandon()
        if torch.compiler.is_compiling() or any(_is_compiled(module) for module in self._names):
            return
        if torch._C._functorch.peek_interpreter_stack() is not None:
            return
        self._enters(model, ())
        for module in self._names:
            if module is not model:
                self._handles.append(module.register_forward_pre_hook(self._enters))
                self._handles.append(module.register_forward_hook(self._leaves, always_call=True))
        self._outer = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        self.__enter__()  # type: ignore[no-untyped-call]
        self.watching = True

    def end(self, model: nn.Module, output: Any) -> dict[str, float]:
        """Stop to watch; the quantities seen, by name."""
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        self.watching = False
        self._leaves(model, (), output)
        found = {f"output_rms/{name}": float(size) for name, size in self._output_rms.items()}
        for name, reading in self._named_readings().items():
            found.update({f"{quantity}/{name}": value for quantity, value in reading.values().items()})
        self._clear()
        return found

    def abandon(self) -> None:
        """Drop a run that was interrupted: torch calls no hook after a KeyboardInterrupt."""
        if self.watching:
            self.watching = False
            self._leave_stack()
        self._clear()

    def _leave_stack(self) -> None:
        """Take this mode off torch's stack. Modes are left by popping whatever is on top, so where those around the run
        have been left since, this one went for the outermost of them, which still stands there.
        """
        stack = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]
        if self in stack:
            left = stack.index(self)
        else:
            left = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(stack, self._outer, strict=False))) - 1
        if left < 0:
            return
        for _ in stack[left:]:
            _pop_mode()  # type: ignore[no-untyped-call]
        for mode in stack[left + 1 :]:
            _push_mode(mode)  # type: ignore[no-untyped-call]

    def _enters(self, module: nn.Module, args: Any) -> None:
        self._running.append(module)
        if _is_layer(module):
            for reading in self._readings.values():
                reading.followed = True

    def _leaves(self, module: nn.Module, args: Any, output: Any) -> None:
        while self._running and self._running.pop() is not module:
            pass
        if _is_layer(module):
            self._layer = module
            first = next((leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)), None)
            if first is not None and first.is_floating_point() and first.numel():
                self._output_rms[self._names[module]] = norm([first]) / math.sqrt(first.numel())

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        kind = ACTIVATIONS.get(func)
        if func is functional.hardtanh and kwargs.get("min_val") == 0:  # nn.ReLU6
            kind = _RELU6
        if kind is not None and self._running and output.is_floating_point() and output.dim() and output.numel():
            self._read(kind, output.detach())
        return output

    def _read(self, kind: Activation, output: Tensor) -> None:
        axis = output.dim() - 1 if output.dim() < 3 or isinstance(self._layer, _FEATURES_LAST) else 1
        running = self._running[-1]
        module = self._names[running] if not _is_layer(running) and not list(running.children()) else ""
        layer = "" if self._layer is None else self._names[self._layer]
        key = (module, layer, kind.name, output.shape[axis])
        if key in self._readings:
            self._readings[key].add(output, axis)
        else:
            self._readings[key] = Reading(kind, output, axis)

    def _named_readings(self) -> dict[str, Reading]:
        shared = Counter(module for module, *_ in self._readings)
        named: dict[str, Reading] = {}
        for (module, layer, kind, _), reading in self._readings.items():
            if reading.kind.range is not None and not reading.followed:
                continue
            by_layer = f"{layer}:{kind}" if layer else kind
            name = module if module and shared[module] == 1 else by_layer
            again = sum(1 for other in named if other.partition("#")[0] == name)
            named[f"{name}#{again + 1}" if again else name] = reading
        return named


def _is_compiled(module: nn.Module) -> bool:
    # By name: importing the compiler to ask for its class takes seconds.
    return module._compiled_call_impl is not None or type(module).__name__ == "OptimizedModule"


def _is_layer(module: nn.Module) -> bool:
    return next(module.parameters(recurse=False), None) is not None

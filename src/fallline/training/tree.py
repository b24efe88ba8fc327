"""Trees of plain values and tensors taken apart: a structure that JSON can hold, and tensors by name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fallline.errors import InputError


@dataclass(frozen=True)
class Tree:
    """A tree taken apart. Containers of the structure are `{"dict": [[key, value], ...]}`, `{"list": [...]}` and
    `{"tuple": [...]}`; a tensor is `{"tensor": name}` with what its bytes do not tell.
    """

    structure: Any
    tensors: dict[str, Tensor]


def flatten(tree: Any) -> Tree:
    """Take a tree apart. Tensors are copied to the CPU and named by the path to them; one that stands in two places
    is stored once. Raises InputError for anything else than dicts, lists, tuples, tensors, numbers, text and None.
    """
    taken = _Taken()
    return Tree(taken.structure(tree, ()), taken.tensors)


def restore(flat: Tree) -> Any:
    """The tree again: equal types, bits, devices and strides."""
    return _Given(flat.tensors).value(flat.structure)


class _Taken:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.known: dict[int, Any] = {}

    def structure(self, x: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(x, float) and not math.isfinite(x):
            return {"float": repr(float(x))}
        if x is None or isinstance(x, bool | int | float | str):
            return x
        if isinstance(x, Mapping):
            items = [
                [self.structure(name, (*path, "key")), self.structure(value, (*path, name))]
                for name, value in x.items()
            ]
            return {"dict": items}
        if type(x) in (list, tuple, torch.Size):
            kind = "list" if type(x) is list else "tuple"
            return {kind: [self.structure(item, (*path, number)) for number, item in enumerate(x)]}
        if isinstance(x, torch.dtype):
            return {"dtype": str(x).removeprefix("torch.")}
        if isinstance(x, Tensor):
            return self.tensor(x, path)
        place = ".".join(map(str, path)) or "it"
        raise InputError(
            f"A checkpoint cannot hold {place}, a {type(x).__name__}: only tensors, numbers, text, None, and dicts, "
            "lists and tuples of them can be stored."
        )

    def tensor(self, x: Tensor, path: tuple[Any, ...]) -> Any:
        if id(x) in self.known:
            return self.known[id(x)]
        if x.layout is not torch.strided or x.is_quantized or x.is_nested:
            place = ".".join(map(str, path))
            raise InputError(
                f"A checkpoint cannot hold {place}: sparse, quantized and nested tensors cannot be stored."
            )
        name = "/".join(map(str, path)) or "tensor"
        while name in self.tensors:
            name += "'"
        told: dict[str, Any] = {"tensor": name}
        plain = x.detach()
        if plain.is_complex():
            told["complex"] = True
            plain = torch.view_as_real(plain.resolve_conj())
        if plain.device.type != "cpu":
            told["device"] = str(plain.device)
        strides = torch.empty_like(plain).stride()
        if not plain.is_contiguous() and strides == plain.stride():
            told["stride"] = list(strides)
        self.tensors[name] = plain.cpu().clone(memory_format=torch.contiguous_format)
        self.known[id(x)] = told
        return told


class _Given:
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.known: dict[str, Tensor] = {}

    def value(self, x: Any) -> Any:
        if not isinstance(x, dict):
            return x
        kind = next(iter(x))
        match kind:
            case "float":
                return float(x[kind])
            case "dict":
                return {self.value(name): self.value(value) for name, value in x[kind]}
            case "list":
                return [self.value(item) for item in x[kind]]
            case "tuple":
                return tuple(self.value(item) for item in x[kind])
            case "dtype":
                return getattr(torch, x[kind])
        name = x["tensor"]
        if name not in self.known:
            self.known[name] = self.tensor(x)
        return self.known[name]

    def tensor(self, told: Mapping[str, Any]) -> Tensor:
        found = self.tensors[told["tensor"]]
        if "stride" in told:
            found = torch.empty_strided(found.shape, told["stride"], dtype=found.dtype).copy_(found)
        if "device" in told:
            found = found.to(told["device"])
        return torch.view_as_complex(found) if "complex" in told else found

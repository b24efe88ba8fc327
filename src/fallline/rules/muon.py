"""Muon."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from fallline.errors import InputError
from fallline.rules.maths import ema, where, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Fraction, LogRange, Nonnegative, Range
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class Muon(Rule):
    """Muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon) as torch has it: the momentum, orthogonalised.

    All singular values of the momentum are brought near 1 by `ns_steps` Newton-Schulz iterations with the polynomial
    a x + b x^3 + c x^5. `adjust_lr_fn` scales the rate by the shape: "original" (and None) by
    sqrt(max(1, rows / columns)), "match_rms_adamw" by 0.2 sqrt(max(rows, columns)) (Liu et al., 2025,
    arXiv:2502.16982), so that AdamW's rates and decays suit. `weight_decay` is decoupled, as in AdamW.

    It takes matrices, and convolution kernels as matrices of one row per output channel, which torch refuses; biases
    and other vectors go to another rule: `wrappers.Route(Muon(), others=AdamW())`. The iterations run in bfloat16,
    as in torch; `bfloat16=False` runs them in the parameter's own type.

    >>> Muon(lr=0.02).momentum
    0.95
    """

    lr: Nonnegative = 1e-3
    weight_decay: Nonnegative = 0.1
    momentum: Fraction = 0.95
    nesterov: bool = True
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315)
    eps: Nonnegative = 1e-7
    ns_steps: Annotated[int, Range(low=0, high=99)] = 5
    adjust_lr_fn: Literal["original", "match_rms_adamw"] | None = None
    bfloat16: bool = True

    acts_on: ClassVar = "matrix"
    amplifies: ClassVar = 1e3
    ranks: ClassVar = range(2, 65)
    search: ClassVar = {"lr": LogRange(1e-4, 1.0)}
    namesake: ClassVar = "Muon"
    torch_step: ClassVar = False
    penalty: ClassVar = "weight_decay"
    refuses: ClassVar = {
        "centralise": "it takes one direction out of every gradient, where nothing but rounding is left to normalise."
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = self.ns_coefficients
        if not isinstance(numbers, tuple | list) or len(numbers) != 3 or not all(map(_is_finite, numbers)):
            raise InputError(f"Muon: ns_coefficients must be three finite numbers (a, b, c); got {numbers!r}.")
        object.__setattr__(self, "ns_coefficients", tuple(map(float, numbers)))
        object.__setattr__(self, "rounds", self.bfloat16)

    def init(self, p: Tensor) -> State:
        return {"momentum_buffer": zeros_like(p)}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        m = ema(state["momentum_buffer"], g, self.momentum)
        matrix = (ema(m, g, self.momentum) if self.nesterov else m).flatten(1)
        rows, columns = matrix.shape
        if self.adjust_lr_fn == "match_rms_adamw":
            factor = 0.2 * math.sqrt(max(rows, columns))
        else:
            factor = math.sqrt(max(1.0, rows / max(columns, 1)))
        update = self._orthogonalised(matrix).to(p.dtype).reshape(p.shape)
        return self.lr * factor * update + self.lr * self.weight_decay * p, {"momentum_buffer": m}

    def _orthogonalised(self, matrix: Tensor) -> Tensor:
        a, b, c = self.ns_coefficients
        x = matrix.bfloat16() if self.bfloat16 else matrix
        tall = x.shape[0] > x.shape[1]
        if tall:
            x = x.mT
        norm = x.norm()
        x = x / where(norm < self.eps, self.eps, norm)
        for _ in range(self.ns_steps):
            gram = x @ x.mT
            x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        return x.mT if tall else x


def _is_finite(x: object) -> bool:
    return isinstance(x, float | int) and not isinstance(x, bool) and math.isfinite(x)

"""SOAP."""

import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from fallline.rules.maths import debias, ema, machine_epsilon, sqrt, where, widened, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import Count, Decay, LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class SOAP(Rule):
    """SOAP (Vyas et al., 2024, arXiv:2409.11321): Adam in the eigenbasis of Shampoo's preconditioner.

    Each dimension of at most `max_precond_dim` entries keeps an average of its gradients' Gram matrices, decaying by
    `shampoo_beta` (None: beta2), and a basis in which the second moment is averaged: the eigenvectors of the first
    Gram matrix, refreshed every `precondition_frequency` steps by one power iteration and a QR decomposition. A
    parameter with no such dimension, and every vector, gets Adam's step. `weight_decay` is decoupled, as in AdamW.

    As in the authors' code a parameter's first update makes its bases and leaves the parameter as it is, and biases
    are corrected for the updates after it. Different from it: the eigenvectors that a first gradient of low rank leaves
    undetermined are completed by reflections, so that rounding does not choose them; a parameter whose first gradient
    comes later than others' begins in the unit basis.

    >>> SOAP(lr=3e-3).precondition_frequency
    10
    """

    lr: Nonnegative = 3e-3
    beta1: Decay = 0.95
    beta2: Decay = 0.95
    shampoo_beta: Decay | None = None
    eps: Nonnegative = 1e-8
    weight_decay: Nonnegative = 1e-2
    precondition_frequency: Count = 10
    max_precond_dim: Count = 10000

    acts_on: ClassVar = "matrix"
    amplifies: ClassVar = 1e3
    search: ClassVar = {"lr": LogRange(1e-4, 1e-1)}
    torch_groups: ClassVar = {"betas": ("beta1", "beta2")}
    penalty: ClassVar = "weight_decay"
    sharded: ClassVar = False
    refuses: ClassVar = {
        "centralise": "it takes one direction out of every gradient, where nothing but rounding is left to normalise."
    }

    def init(self, p: Tensor) -> State:
        state = {"exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}
        for axis in self._axes(p):
            unit = torch.eye(p.shape[axis], dtype=p.dtype, device=p.device)
            state |= {f"gram_{axis}": zeros_like(unit), f"basis_{axis}": unit}
        return state

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        axes = self._axes(p)
        first, updates = now.t == 1, where(now.t == 1, 1, now.t - 1)
        m = where(first, 0.0 * g, ema(state["exp_avg"], g, self.beta1))
        g_rotated, m_rotated = g, m
        for axis in axes:
            g_rotated = _rotated(g_rotated, state[f"basis_{axis}"], axis)
            m_rotated = _rotated(m_rotated, state[f"basis_{axis}"], axis)
        v = where(first, 0.0 * g, ema(state["exp_avg_sq"], g_rotated * g_rotated, self.beta2))
        direction = debias(m_rotated, self.beta1, updates) / (sqrt(debias(v, self.beta2, updates)) + self.eps)
        for axis in axes:
            direction = _rotated(direction, state[f"basis_{axis}"].mT, axis)
        decrement = where(first, 0.0 * g, self.lr * (direction + self.weight_decay * p))
        return decrement, self._refreshed(g, {**state, "exp_avg": m, "exp_avg_sq": v}, now)

    def _axes(self, p: Tensor) -> list[int]:
        """The dimensions that are preconditioned."""
        return [axis for axis in range(p.dim()) if p.dim() > 1 and p.shape[axis] <= self.max_precond_dim]

    def _refreshed(self, g: Tensor, state: State, now: Now) -> State:
        """The state with the newest gradient in the Gram matrices and, where it is due, new bases."""
        decay = self.beta2 if self.shampoo_beta is None else self.shampoo_beta
        v = state["exp_avg_sq"]
        for axis in self._axes(g):
            flat = g.movedim(axis, 0).flatten(1)
            gram = ema(state[f"gram_{axis}"], flat @ flat.mT, decay)
            basis = state[f"basis_{axis}"]
            if now.due(sys.maxsize):
                basis = _eigenbasis(gram)
            elif now.due(self.precondition_frequency):
                basis, order = _turned(basis, gram)
                v = torch.index_select(v, axis, order)
            state = state | {f"gram_{axis}": gram, f"basis_{axis}": basis}
        return state | {"exp_avg_sq": v}


def _rotated(x: Any, basis: Any, axis: int) -> Any:
    """A tensor's coordinates along one dimension in a basis, whose vectors are columns."""
    return (x.movedim(axis, -1) @ basis).movedim(-1, axis)


def _eigenbasis(gram: Any) -> Any:
    """The eigenvectors of a Gram matrix, the largest eigenvalue first."""
    # What is not finite stays in the Gram matrix, where it will be seen; the decomposition would raise.
    wide = torch.nan_to_num(widened(gram), 0.0, 0.0, 0.0)
    values, vectors = torch.linalg.eigh(wide)
    # Rounding chooses among the eigenvectors of 0; left out, they are completed by the reflections that make up Q.
    noise = abs(values).sum(-1, keepdim=True) * machine_epsilon(wide) * wide.shape[-1]
    known = where(values > noise, vectors, 0.0 * vectors).flip(-1)
    return torch.linalg.qr(known)[0].to(gram.dtype)


def _turned(basis: Any, gram: Any) -> tuple[Any, Any]:
    """The basis after one power iteration, and the order by falling eigenvalue that its vectors were put in."""
    old = widened(basis)
    powers = widened(gram) @ old
    order = torch.argsort((old * powers).sum(0), descending=True, stable=True)
    return torch.linalg.qr(torch.index_select(powers, 1, order))[0].to(basis.dtype), order

"""Rules that see whole tensors, matrices or models as plain float64 NumPy loops, written apart from the rules.

A loop is given the first weights, and for every step the noise of each gradient, which is weights + noise; it returns
the last weights, and those to evaluate the model with where they are others.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fallline import rules
from fallline.rules import Rule

Array = Any
Weights = list[Array]
Noise = Sequence[Sequence[Array]]
Loop = Callable[..., tuple[Weights, Weights]]


def each(one: Callable[..., tuple[Array, Array]]) -> Loop:
    """A loop over weights that do not see each other."""

    def loop(start: Weights, noise: Noise, **values: Any) -> tuple[Weights, Weights]:
        ended = [one(p, [step[i] for step in noise], **values) for i, p in enumerate(start)]
        return [p for p, _ in ended], [x for _, x in ended]

    loop.__name__ = one.__name__
    return loop


def rms(x: Array) -> float:
    return float(np.sqrt(np.mean(x**2)))


@each
def lamb(p: Array, noise: Any, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float) -> Any:
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, e in enumerate(noise, start=1):
        g = p + e
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        r = (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps) + weight_decay * p
        p = p - lr * np.linalg.norm(p.ravel()) / np.linalg.norm(r.ravel()) * r
    return p, p


@each
def adafactor(
    p: Array, noise: Any, lr: float, beta2_decay: float, eps1: float, eps2: float, d: float, weight_decay: float
) -> Any:
    rows = columns = full = 0.0
    for t, e in enumerate(noise, start=1):
        g = p + e
        new = t**beta2_decay
        if p.ndim > 1:
            rows = (1 - new) * rows + new * np.mean(g**2, axis=-1, keepdims=True)
            columns = (1 - new) * columns + new * np.mean(g**2, axis=-2, keepdims=True)
            v = rows * columns / np.maximum(np.mean(rows, axis=-2, keepdims=True), eps1)
        else:
            full = (1 - new) * full + new * g**2
            v = full
        u = g / np.maximum(np.sqrt(v), eps1)
        u = u / max(1.0, rms(u) / d)
        step = max(eps2, rms(p)) * min(lr, t**-0.5)
        p = p * (1 - lr * weight_decay) - step * u
    return p, p


@each
def muon(p: Array, noise: Any, lr: float, weight_decay: float, momentum: float, nesterov: bool, scale: str) -> Any:
    buffer = np.zeros_like(p)
    for e in noise:
        g = p + e
        buffer = momentum * buffer + (1 - momentum) * g
        x = ((1 - momentum) * g + momentum * buffer if nesterov else buffer).reshape(len(p), -1)
        rows, columns = x.shape
        # The polynomial acts on singular values alone.
        u, s, vt = np.linalg.svd(x, full_matrices=False)
        s = s / np.linalg.norm(x)
        for _ in range(5):
            s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
        factor = {"original": max(1, rows / columns) ** 0.5, "match_rms_adamw": 0.2 * max(rows, columns) ** 0.5}
        p = p - lr * weight_decay * p - lr * factor[scale] * ((u * s) @ vt).reshape(p.shape)
    return p, p


def weights_of_average(
    t: int, lr: float, warmup_steps: int, r: float, power: float, seen: dict[str, float]
) -> tuple[float, float]:
    lr = lr * min(1.0, t / warmup_steps) if warmup_steps else lr
    seen["largest"] = max(seen["largest"], lr)
    weight = t**r * seen["largest"] ** power
    seen["sum"] += weight
    return lr, weight / seen["sum"]


@each
def schedule_free_sgd(
    p: Array, noise: Any, lr: float, momentum: float, weight_decay: float, warmup_steps: int, r: float, power: float
) -> Any:
    x, y, z, seen = p, p, p, {"largest": 0.0, "sum": 0.0}
    for t, e in enumerate(noise, start=1):
        rate, c = weights_of_average(t, lr, warmup_steps, r, power, seen)
        z = z - rate * (y + e + weight_decay * y)
        x = (1 - c) * x + c * z
        y = (1 - momentum) * z + momentum * x
    return y, x


@each
def schedule_free_adamw(
    p: Array,
    noise: Any,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    warmup_steps: int,
    r: float,
    power: float,
) -> Any:
    x, y, z, seen = p, p, p, {"largest": 0.0, "sum": 0.0}
    v = np.zeros_like(p)
    for t, e in enumerate(noise, start=1):
        rate, c = weights_of_average(t, lr, warmup_steps, r, power, seen)
        g = y + e
        v = beta2 * v + (1 - beta2) * g**2
        z = z - rate * (g / (np.sqrt(v / (1 - beta2**t)) + eps) + weight_decay * y)
        x = (1 - c) * x + c * z
        y = (1 - beta1) * z + beta1 * x
    return y, x


def prodigy(
    start: Weights,
    noise: Noise,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    d0: float,
    d_coef: float,
    corrected: bool,
    safeguard: bool,
) -> tuple[Weights, Weights]:
    """The whole model as one vector, which is what it is to Prodigy."""
    cuts = np.cumsum([p.size for p in start])[:-1]
    p0 = p = np.concatenate([x.ravel() for x in start])
    m, v, s = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    d, r = d0, 0.0
    for t, step in enumerate(noise, start=1):
        g = p + np.concatenate([e.ravel() for e in step])
        rate = d * lr * (np.sqrt(1 - beta2**t) / (1 - beta1**t) if corrected else 1.0)
        m = beta1 * m + (1 - beta1) * d * g
        v = beta2 * v + (1 - beta2) * d**2 * g**2
        r = np.sqrt(beta2) * r + d / d0 * rate * np.dot(g, p0 - p)
        s = np.sqrt(beta2) * s + d / d0 * (d if safeguard else rate) * g
        d = max(d, d_coef * r / np.abs(s).sum())
        p = p - rate * m / (np.sqrt(v) + d * eps) - rate * weight_decay * p
    ended = [x.reshape(q.shape) for x, q in zip(np.split(p, cuts), start, strict=True)]
    return ended, ended


@each
def soap(
    p: Array,
    noise: Any,
    lr: float,
    beta1: float,
    beta2: float,
    shampoo_beta: float,
    eps: float,
    weight_decay: float,
    every: int,
    largest: int,
) -> Any:
    axes = [i for i in range(p.ndim) if p.ndim > 1 and p.shape[i] <= largest]
    m, v = np.zeros_like(p), np.zeros_like(p)
    grams = {i: np.zeros((p.shape[i], p.shape[i])) for i in axes}
    bases: dict[int, Array] = {}

    def turned(x: Array, back: bool = False) -> Array:
        for i in axes:
            x = np.moveaxis(np.tensordot(bases[i] if back else bases[i].T, x, axes=(1, i)), 0, i)
        return x

    for step, e in enumerate(noise):
        g = p + e
        if step > 0:
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * turned(g) ** 2
            direction = (turned(m) / (1 - beta1**step)) / (np.sqrt(v / (1 - beta2**step)) + eps)
            p = p - lr * turned(direction, back=True) - lr * weight_decay * p
        for i in axes:
            rows = np.moveaxis(g, i, 0).reshape(p.shape[i], -1)
            grams[i] = shampoo_beta * grams[i] + (1 - shampoo_beta) * rows @ rows.T
            if step == 0:
                found = np.linalg.svd(rows)[0]
                found[:, min(rows.shape) :] = 0
                bases[i] = np.linalg.qr(found)[0]
            elif step % every == 0:
                size = np.diag(bases[i].T @ grams[i] @ bases[i])
                order = np.argsort(-size)
                bases[i] = np.linalg.qr(grams[i] @ bases[i][:, order])[0]
                v = np.take(v, order, axis=i)
    return p, p


LOOPS: dict[str, list[tuple[Rule, Loop, dict[str, Any]]]] = {
    "LAMB": [
        (
            rules.LAMB(lr=0.1, beta2=0.99, weight_decay=0.2),
            lamb,
            {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.2},
        )
    ],
    "Adafactor": [
        (
            rules.Adafactor(lr=0.3, weight_decay=0.1, d=1.1, eps1=1e-4, eps2=0.5),
            adafactor,
            {"lr": 0.3, "beta2_decay": -0.8, "eps1": 1e-4, "eps2": 0.5, "d": 1.1, "weight_decay": 0.1},
        ),
        (
            rules.Adafactor(lr=0.03),
            adafactor,
            {"lr": 0.03, "beta2_decay": -0.8, "eps1": 2.0**-52, "eps2": 1e-3, "d": 1.0, "weight_decay": 0.0},
        ),
    ],
    "Muon": [
        (
            rules.Muon(lr=0.1, momentum=0.9, nesterov=nesterov, adjust_lr_fn=scale, bfloat16=False),
            muon,
            {
                "lr": 0.1,
                "weight_decay": 0.1,
                "momentum": 0.9,
                "nesterov": nesterov,
                "scale": scale or "original",
            },
        )
        for nesterov, scale in [(True, None), (False, "original"), (True, "match_rms_adamw")]
    ],
    "ScheduleFreeSGD": [
        (
            rules.ScheduleFreeSGD(lr=0.1, weight_decay=0.2, momentum=0.8, warmup_steps=w, r=r, weight_lr_power=power),
            schedule_free_sgd,
            {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.2, "warmup_steps": w, "r": r, "power": power},
        )
        for w, r, power in [(0, 0.0, 2.0), (7, 0.5, 1.5)]
    ],
    "ScheduleFreeAdamW": [
        (
            rules.ScheduleFreeAdamW(lr=0.1, weight_decay=0.2, warmup_steps=w, r=r, weight_lr_power=power),
            schedule_free_adamw,
            {
                "lr": 0.1,
                "beta1": 0.9,
                "beta2": 0.999,
                "eps": 1e-8,
                "weight_decay": 0.2,
                "warmup_steps": w,
                "r": r,
                "power": power,
            },
        )
        for w, r, power in [(0, 0.0, 2.0), (7, 0.5, 1.5)]
    ],
    "Prodigy": [
        (
            rules.Prodigy(
                beta2=0.99, d0=0.01, d_coef=2.0, weight_decay=0.1, use_bias_correction=c, safeguard_warmup=s, lr=0.7
            ),
            prodigy,
            {
                "lr": 0.7,
                "beta1": 0.9,
                "beta2": 0.99,
                "eps": 1e-8,
                "weight_decay": 0.1,
                "d0": 0.01,
                "d_coef": 2.0,
                "corrected": c,
                "safeguard": s,
            },
        )
        for c, s in [(False, False), (True, False), (False, True)]
    ],
    "SOAP": [
        (
            rules.SOAP(lr=0.1, beta2=0.9, shampoo_beta=beta, precondition_frequency=every, max_precond_dim=largest),
            soap,
            {
                "lr": 0.1,
                "beta1": 0.95,
                "beta2": 0.9,
                "shampoo_beta": beta or 0.9,
                "eps": 1e-8,
                "weight_decay": 0.01,
                "every": every,
                "largest": largest,
            },
        )
        for beta, every, largest in [(None, 10, 10000), (0.8, 3, 10000), (0.8, 1, 4)]
    ],
}

"""Averaged stochastic gradient descent."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fallline.rules.maths import number, where, zeros_like
from fallline.rules.now import Now
from fallline.rules.ranges import LogRange, Nonnegative
from fallline.rules.rule import Rule, State


@dataclass(frozen=True)
class ASGD(Rule):
    """Averaged SGD (Polyak and Juditsky, 1992, doi:10.1137/0330046; rates of Xu, 2011, arXiv:1107.2490).

    Weights decay by `lambd` and the rate falls as lr / (1 + lambd * lr * t)**alpha; after update t0 the state's `ax`
    averages the weights, and is what the model is evaluated with. Until then, which with torch's t0 of a million is
    nearly always, `ax` is the weights themselves. As in torch `eta`, the rate of an update, was computed at the
    update before: the first two are lr undamped and that of t = 1, and a schedule acts one update late.
    The state is 1 word per weight and two numbers per parameter.

    >>> ASGD(t0=100.0).alpha
    0.75
    """

    lr: Nonnegative = 1e-2
    lambd: Nonnegative = 1e-4
    alpha: Nonnegative = 0.75
    t0: Nonnegative = 1e6

    search: ClassVar = {"lr": LogRange(1e-3, 10.0)}
    namesake: ClassVar = "ASGD"
    refuses: ClassVar = dict.fromkeys(
        ("cautious", "decoupled", "independent", "l1", "lookahead"),
        "`ax`, which the model is evaluated with, would not know what it does to the step. Take SGD inside it, and put "
        "Average around both.",
    )

    def init(self, p: Tensor) -> State:
        return {"eta": number(p, self.lr), "mu": number(p, 1.0), "ax": p.clone()}

    def step(self, p: Tensor, g: Tensor, state: State, now: Now) -> tuple[Tensor, State]:
        eta, mu, average = state["eta"], state["mu"], state["ax"]
        decrement = self.lambd * eta * p + eta * g
        moved = p - decrement
        past = now.t - self.t0
        return decrement, {
            "eta": zeros_like(eta) + self.lr / (1 + self.lambd * self.lr * now.t) ** self.alpha,
            "mu": zeros_like(mu) + 1 / where(past > 1, past, 1.0),
            "ax": where(mu == 1, moved, average + mu * (moved - average)),
        }

    def eval_point(self, p: Tensor, state: State) -> Tensor:
        return state["ax"]

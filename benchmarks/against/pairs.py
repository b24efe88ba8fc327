"""The algorithms that fallline and the package pytorch_optimizer both have, and where they part."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

import pytorch_optimizer as package
from fallline import rules, wrappers
from fallline.rules import Rule

SHAPES = ((12, 12), (12, 5), (4, 3, 2, 2), (7,))
MATRICES = SHAPES[:3]
FULL_RANK = ((12, 12), (4, 3, 2, 2), (7,))
"""Every Gram matrix of a gradient of random numbers has full rank."""


@dataclass(frozen=True)
class Trial:
    """Both sides on the same problem: ours by a rule, theirs by a function of the parameters."""

    ours: Rule
    theirs: Callable[[list[Tensor]], Any]
    shapes: tuple[tuple[int, ...], ...] = SHAPES
    steps: int = 50
    double: bool = False
    """Whether double precision is torch's default type too, which numbers of a state take."""


@dataclass(frozen=True)
class Pair:
    """One algorithm: both sides with their own defaults and, where these part, why and what makes them agree."""

    name: str
    defaults: Trial
    reason: str = ""
    settings: str = ""
    settled: Trial | None = None
    closure: bool = False
    """Whether the step asks for a further gradient."""
    curvature: float = 0.0
    """How far a gradient changes with its weight."""
    large: int = 20
    """How many tensors of a million numbers its speed is measured on."""
    timed: Trial | None = field(default=None)
    """What is timed, where it is not the defaults."""


def theirs(name: str, **keywords: Any) -> Callable[[list[Tensor]], Any]:
    return lambda params: getattr(package, name)(params, **keywords)


def their_lookahead(params: list[Tensor]) -> Any:
    return package.Lookahead(torch.optim.Adam(params), k=5, alpha=0.5)


def their_muon(**keywords: Any) -> Callable[[list[Tensor]], Any]:
    """Their Muon, whose parameters must be grouped by hand."""

    def made(params: list[Tensor]) -> Any:
        groups: list[dict[str, Any]] = [{"params": [p for p in params if p.dim() > 1], "use_muon": True}]
        vectors = [p for p in params if p.dim() < 2]
        if vectors:
            groups.append({"params": vectors, "use_muon": False})
        return package.Muon(groups, **keywords)

    return made


_ADAM_FOR_VECTORS = rules.AdamW(lr=3e-4, beta2=0.95, eps=1e-10, weight_decay=0.0)

PAIRS = [
    Pair(
        "Adadelta",
        Trial(rules.Adadelta(), theirs("AdaDelta")),
    ),
    Pair(
        "Adamax",
        Trial(rules.Adamax(), theirs("AdaMax")),
        "their default lr is 0.001, ours, torch's and the paper's 0.002",
        "lr=0.001 and a decoupled decay of 0.1 on both sides",
        Trial(
            wrappers.DecoupledDecay(rules.Adamax(lr=1e-3), weight_decay=0.1),
            theirs("AdaMax", weight_decay=0.1, weight_decouple=True),
        ),
    ),
    Pair(
        "RAdam",
        Trial(rules.RAdam(), theirs("RAdam")),
        "until the second moment can be trusted they leave the weights as they are; ours, torch's and the paper's step "
        "by momentum",
        "degenerated_to_sgd=True there; a decoupled decay of 0.1 on both sides",
        Trial(
            wrappers.DecoupledDecay(rules.RAdam(), weight_decay=0.1),
            theirs("RAdam", degenerated_to_sgd=True, weight_decay=0.1, weight_decouple=True),
        ),
    ),
    Pair(
        "Lion",
        Trial(rules.Lion(), theirs("Lion")),
        "",
        "a decay of 0.1 on both sides",
        Trial(rules.Lion(weight_decay=0.1), theirs("Lion", weight_decay=0.1)),
    ),
    Pair(
        "LAMB",
        Trial(rules.LAMB(), theirs("Lamb")),
        "they correct the first moment's bias after the ratio of norms, so the first steps are up to 10 times as long, "
        "decay outside the ratio (by 0, ours by 0.01), bound the weights' norm by 10 and add eps to the ratio's "
        "divisor",
        "adam_debias=True there, eps=0 and no decay on both sides",
        Trial(
            rules.LAMB(eps=0.0, weight_decay=0.0),
            theirs("Lamb", eps=0.0, adam_debias=True),
            shapes=((4, 4), (4, 3), (2, 2, 2, 2), (7,)),
        ),
    ),
    Pair(
        "Adafactor",
        Trial(rules.Adafactor(), theirs("AdaFactor")),
        "theirs is a variant with a momentum of 0.9, kept in bfloat16; ours, torch's and the paper's default has none",
        "betas=(None, 0.999) there",
        Trial(rules.Adafactor(), theirs("AdaFactor", betas=(None, 0.999))),
    ),
    Pair(
        "ScheduleFreeSGD",
        Trial(rules.ScheduleFreeSGD(), theirs("ScheduleFreeSGD")),
        "",
        "double precision as torch's default type; warmup_steps=10, weight_decay=0.01",
        Trial(
            rules.ScheduleFreeSGD(warmup_steps=10, weight_decay=0.01),
            theirs("ScheduleFreeSGD", warmup_steps=10, weight_decay=0.01),
            double=True,
        ),
    ),
    Pair(
        "ScheduleFreeAdamW",
        Trial(rules.ScheduleFreeAdamW(), theirs("ScheduleFreeAdamW")),
        "the sums that weigh the average are Python floats there, and numbers of our state, of torch's default type "
        "(single precision here); they add 1e-15 to the second moment besides eps",
        "double precision as torch's default type; warmup_steps=10, weight_decay=0.01",
        Trial(
            rules.ScheduleFreeAdamW(warmup_steps=10, weight_decay=0.01),
            theirs("ScheduleFreeAdamW", warmup_steps=10, weight_decay=0.01),
            double=True,
        ),
    ),
    Pair(
        "Prodigy",
        Trial(rules.Prodigy(), theirs("Prodigy")),
        "d and the sums it is made of have torch's default type (single precision here) on both sides, and are rounded "
        "at other places",
        "double precision as torch's default type; bias correction and a decay of 0.01 on both sides",
        Trial(
            rules.Prodigy(use_bias_correction=True, weight_decay=0.01),
            theirs("Prodigy", bias_correction=True, weight_decay=0.01),
            double=True,
        ),
        curvature=1.0,
    ),
    Pair(
        "SOAP",
        Trial(rules.SOAP(), theirs("SOAP")),
        "they decompose in single precision whatever the weights have, take the eigenvectors of 0 as rounding leaves "
        "them, add eps before the bias is corrected and decay the weights after the step",
        "gradients of full rank, no new basis in 50 steps, eps=0 and no decay on both sides",
        Trial(
            rules.SOAP(eps=0.0, weight_decay=0.0, precondition_frequency=1000),
            theirs("SOAP", eps=0.0, weight_decay=0.0, precondition_frequency=1000),
            shapes=FULL_RANK,
        ),
        large=2,
    ),
    Pair(
        "Muon",
        Trial(rules.Muon(), their_muon(), shapes=MATRICES, steps=1),
        "their lr is 0.02 and decay 0, ours and torch's 0.001 and 0.1",
        "lr=0.02 and a decay of 0.1 on both sides; one step, for the iterations run in bfloat16",
        Trial(
            rules.Muon(lr=0.02, weight_decay=0.1),
            their_muon(weight_decay=0.1, foreach=False),
            shapes=MATRICES,
            steps=1,
        ),
        large=2,
        timed=Trial(wrappers.Route(rules.Muon(lr=0.02, weight_decay=0.0), others=_ADAM_FOR_VECTORS), their_muon()),
    ),
    Pair(
        "SAM(SGD)",
        Trial(
            wrappers.SAM(rules.SGD(lr=0.1), rho=0.05),
            theirs("SAM", base_optimizer=torch.optim.SGD, lr=0.1),
        ),
        "they take the norm of the gradient in single precision whatever the weights have, and add 1e-12 to it",
        closure=True,
        curvature=1.0,
    ),
    Pair(
        "Lookahead(Adam)",
        Trial(wrappers.Lookahead(rules.Adam()), their_lookahead),
    ),
    Pair(
        "Centralise(Lion)",
        Trial(wrappers.Centralise(rules.Lion()), theirs("Lion", use_gc=True)),
    ),
    Pair(
        "Cautious(Lion)",
        Trial(wrappers.Cautious(rules.Lion()), theirs("Lion", cautious=True)),
        "of n elements, m of which agree, they scale by n / (m + 1), the paper's xi of 1; ours by n / m, as the "
        "authors' code",
        "one step, where all 144 elements agree, ours with lr * 144 / 145",
        Trial(
            wrappers.Cautious(rules.Lion(lr=1e-4 * 144 / 145)),
            theirs("Lion", cautious=True),
            shapes=((12, 12),),
            steps=1,
        ),
    ),
    Pair(
        "IndependentDecay(Adamax)",
        Trial(
            wrappers.IndependentDecay(rules.Adamax(lr=1e-3), weight_decay=0.01),
            theirs("AdaMax", weight_decay=0.01, weight_decouple=True, fixed_decay=True),
        ),
    ),
]

TORCHS_OWN = [
    name
    for name in ("SGD", "Adam", "AdamW", "NAdam", "RMSprop")
    if getattr(package, name) is getattr(torch.optim, name)
]
"""What the package hands on from torch: nothing to compare there that benchmarks/step.py does not."""

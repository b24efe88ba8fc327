"""What members would take as a population, reckoned from a few steps of one of them before any population is tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from fallline.problems import Prepared
from fallline.study.anatomy import Anatomy
from fallline.training import Member

_SHARED = 2.5
"""How many times as long as one member's the part of a population's step takes that does not grow with the members."""
_BYTES_A_SECOND = 2.5e9
"""How fast a population makes results, which do not fit into caches."""
_GROUPED = 2.0
"""How many times as long each member's part takes with convolutions, which members have as groups of one."""
_CAPTURING = 0.008
"""Seconds that an operation takes to be captured."""
_TAKEN_APART = 4
"""How many times as long a trial takes with operations that have to be taken apart first."""
_STEPS_TRIED = 8
_EVALUATIONS_TRIED = 2


@dataclass(frozen=True)
class Outlook:
    """Seconds of a step and of an evaluation of all members, and of making the step's program; those that trying it
    would take; the bytes that a step might hold; and the operations of which it foresees nothing.

    On the CPU, where nothing is unforeseen, steps are right within a factor of 2.3 and evaluations that take longer
    than 10 ms within 2.5: `python benchmarks/outlook.py`.
    """

    step: float
    evaluating: float
    preparing: float
    trying: float
    bytes: int
    unforeseen: frozenset[str]

    @classmethod
    def of(cls, members: Sequence[Member], problem: Prepared, seed: int) -> "Outlook":
        """The outlook of members that could train as one program."""
        first = {member.optimizer: member for member in reversed(members)}
        anatomies = {optimizer: Anatomy.of(member, problem, seed) for optimizer, member in first.items()}
        own = [anatomies[member.optimizer] for member in members]
        # One gradient for all, and every rule's update for its own members.
        shared = max(anatomy.step.fixed - anatomy.updating for anatomy in anatomies.values())
        shared += sum(anatomy.updating for anatomy in anatomies.values())
        slower = _GROUPED if any("aten::convolution" in anatomy.names for anatomy in own) else 1.0
        step = _SHARED * shared + sum(max(slower * one.step.growing, one.bytes / _BYTES_A_SECOND) for one in own)
        shared_evaluation = max(anatomy.evaluation.fixed for anatomy in anatomies.values())
        preparing = _CAPTURING * max(anatomy.operations for anatomy in anatomies.values())
        unforeseen = frozenset().union(*(anatomy.unmapped for anatomy in own))
        tried = _EVALUATIONS_TRIED * sum(anatomy.evaluating for anatomy in own)
        return cls(
            step=step,
            evaluating=_SHARED * shared_evaluation + slower * sum(anatomy.evaluation.growing for anatomy in own),
            preparing=preparing,
            trying=(_TAKEN_APART if unforeseen else 1) * (preparing + _STEPS_TRIED * step + tried),
            bytes=sum(anatomy.bytes for anatomy in own),
            unforeseen=unforeseen,
        )

"""One member of a population: what it records, and its tensors as a model's state."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from fallline.training.curve import Curve
from fallline.training.member import Member
from fallline.training.origin import Origin
from fallline.training.outcome import Outcome
from fallline.training.stopping import EarlyStopping


@dataclass
class One:
    """A member at its place among settings (-1 once its setting has left) and seeds, with all that it alone has."""

    member: Member
    setting: int
    seed: int
    stopping: EarlyStopping | None
    origin: Origin
    curve: Curve = field(default_factory=Curve)
    outcome: Outcome | None = None
    seconds: float = 0.0
    weights: dict[str, Tensor] | None = None
    """The final weights of a member that has ended."""


class State:
    """A member's tensors by name, to be asked as a model's are."""

    def __init__(self, tensors: Mapping[str, Tensor], buffers: Mapping[str, str], saved: Mapping[str, str]) -> None:
        self._tensors = tensors
        self._buffers = buffers
        self._saved = saved

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The buffers by name."""
        return ((name, self._tensors[own]) for name, own in self._buffers.items())

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers as they are saved."""
        return {name: self._tensors[own] for name, own in self._saved.items()}

"""What a training begins with, as digests: the same for every optimizer of a run."""

from dataclasses import dataclass
from hashlib import blake2b

from torch import nn

from fallline.problems.kept import Kept, digest
from fallline.problems.prepared import Prepared
from fallline.randomness import key
from fallline.training.batches import order_of_epoch
from fallline.training.member import Member


@dataclass(frozen=True)
class Origin:
    """Digests of the initial weights, and of the order in which the training rows come."""

    weights: str
    order: str


def origin(member: Member, model: nn.Module, problem: Prepared, seed: int) -> Origin:
    """The origin of a training, from its model before the first update."""
    return Origin(digest(Kept([model.state_dict()])), order_digest(problem, member, seed))


def order_digest(problem: Prepared, member: Member, seed: int) -> str:
    """The digest of an order: of the rows of the first epoch, and whether later ones have their own.

    Later epochs follow from the same key. What a DataLoader draws is its own affair: there the key itself is taken.
    """
    rows = order_of_epoch(problem, member, seed, 0)
    drawn = str(key(seed, "epoch", member.seed)).encode() if rows is None else rows.numpy().astype("<i8").tobytes()
    return blake2b(f"{member.order}/".encode() + drawn, digest_size=16).hexdigest()

"""Messages for names that nobody knows, with the nearest known one."""

import difflib
from collections.abc import Iterable
from typing import Any

from fallline.errors import shown

_OTHER_WORDS = {"learning_rate": "lr", "learningrate": "lr"}
"""What other libraries call things, where no letter says so."""


def unknown(name: Any, known: Iterable[str], what: str, unlisted: Iterable[str] = ()) -> str:
    """The message for an unknown name, or for what is no name; `unlisted` names may have been meant too, and are too
    many to list.

    >>> unknown("adm", ["adam", "sgd"], "optimizer")
    "'adm' is no optimizer. Did you mean 'adam'? Known: adam, sgd."
    >>> unknown("adma", ["adam", "adamax"], "optimizer")
    "'adma' is no optimizer. Did you mean 'adam'? Known: adam, adamax."
    """
    known = list(known)
    return f"{shown(name)} is no {what}.{did_you_mean(name, (*unlisted, *known))} Known: {', '.join(known) or 'none'}."


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """The question, after a space, that names the nearest known name; nothing where none is near.

    >>> did_you_mean("learning_rate", ["lr", "eps"])
    " Did you mean 'lr'?"
    """
    folded = {candidate.lower(): candidate for candidate in known}
    if not isinstance(name, str):
        return ""
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5)
    nearest = max(near, key=lambda candidate: _likeness(name.lower(), candidate), default=None)
    word = _OTHER_WORDS.get(name.lower())
    nearest = word if word in folded else nearest
    return f" Did you mean {folded[nearest]!r}?" if nearest else ""


def _likeness(name: str, candidate: str) -> float:
    # Letters are swapped or mistaken more often than several are left out.
    return difflib.SequenceMatcher(None, candidate, name).ratio() - 0.05 * abs(len(candidate) - len(name))

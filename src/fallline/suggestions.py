"""Messages for names that nobody knows, with the nearest known one."""

import difflib
from collections.abc import Iterable
from typing import Any

from fallline.errors import shown


def unknown(name: Any, known: Iterable[str], what: str, unlisted: Iterable[str] = ()) -> str:
    """The message for an unknown name, or for what is no name; `unlisted` names may have been meant too, and are too
    many to list.

    >>> unknown("adm", ["adam", "sgd"], "optimizer")
    "'adm' is no optimizer. Did you mean 'adam'? Known: adam, sgd."
    >>> unknown("adma", ["adam", "adamax"], "optimizer")
    "'adma' is no optimizer. Did you mean 'adam'? Known: adam, adamax."
    """
    known = list(known)
    folded = {candidate.lower(): candidate for candidate in (*unlisted, *known)}
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5) if isinstance(name, str) else []
    nearest = max(near, key=lambda candidate: _likeness(name.lower(), candidate), default=None)
    hint = f" Did you mean {folded[nearest]!r}?" if nearest else ""
    return f"{shown(name)} is no {what}.{hint} Known: {', '.join(known) or 'none'}."


def _likeness(name: str, candidate: str) -> float:
    # Letters are swapped or mistaken more often than several are left out.
    return difflib.SequenceMatcher(None, candidate, name).ratio() - 0.05 * abs(len(candidate) - len(name))

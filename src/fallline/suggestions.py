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
    """
    known = list(known)
    folded = {candidate.lower(): candidate for candidate in (*unlisted, *known)}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5) if isinstance(name, str) else []
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    return f"{shown(name)} is no {what}.{hint} Known: {', '.join(known) or 'none'}."

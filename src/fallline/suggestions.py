"""Messages for names that nobody knows, with the nearest known one."""

import difflib
from collections.abc import Iterable


def unknown(name: str, known: Iterable[str], what: str, unlisted: Iterable[str] = ()) -> str:
    """The message for an unknown name; `unlisted` names may have been meant too, and are too many to list.

    >>> unknown("adm", ["adam", "sgd"], "optimizer")
    "'adm' is no optimizer. Did you mean 'adam'? Known: adam, sgd."
    """
    known = list(known)
    folded = {candidate.lower(): candidate for candidate in (*unlisted, *known)}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.5)
    hint = f" Did you mean {folded[near[0]]!r}?" if near else ""
    return f"{name!r} is no {what}.{hint} Known: {', '.join(known) or 'none'}."

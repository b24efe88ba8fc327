"""Whose code a file holds."""

import sysconfig
from functools import cache
from pathlib import Path


@cache
def is_users(file: str) -> bool:
    """Whether code is the user's own, written in a file, a notebook or at a prompt: not fallline's, Python's or that of
    another installed package.

    >>> is_users("<stdin>"), is_users(__file__), is_users(sysconfig.__file__)
    (True, False, False)
    """
    path = Path(file)
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    libraries = Path(__file__).parent, Path(sysconfig.get_path("stdlib"))
    return not installed and not file.startswith("<frozen") and not any(one in path.parents for one in libraries)

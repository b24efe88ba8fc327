"""Files that are there whole or not at all."""

import os
from pathlib import Path

from fallline.errors import MachineError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all: temporary name, flush to disk, rename.

    Raises MachineError where it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise MachineError(f"{path} could not be written: {error.strerror or error}.") from error
        raise


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written in a folder and those inside it."""
    for partial in folder.rglob(".*.partial"):
        partial.unlink(missing_ok=True)


def file_name(text: str) -> str:
    """Text as a file can bear it on every system.

    >>> file_name("scripts/own.py:problem")
    'scripts-own-py-problem'
    """
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in text)

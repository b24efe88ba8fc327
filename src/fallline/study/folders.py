"""Folders that results are kept in: a new one, or one claimed for this process alone."""

from pathlib import Path

import filelock

from fallline.errors import InputError, MachineError
from fallline.files import file_name, sweep


def new_folder(name: str) -> Path:
    """A new folder `runs/<name>-0001`, or with the next number that is free."""
    for number in range(1, 100_000):
        folder = Path("runs") / f"{file_name(name)}-{number:04d}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(
                f"The store {folder} cannot be written: {error.strerror}. Name another with --store."
            ) from None
        return folder
    raise MachineError("There are too many folders in runs/; name one with --store.")


def claim(folder: Path, file: str, what: str) -> filelock.BaseFileLock:
    """Make a folder if need be and lock it for this process; `file` tells that `what` is kept there.

    Raises InputError where the folder holds other files, cannot be written, or another process works on it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_other_files(folder, file, what)
        lock = filelock.FileLock(folder / "lock")
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InputError(f"Another fallline is working on {folder}; wait for it, or choose another store.") from None
    except OSError as error:
        raise InputError(f"The store {folder} cannot be written: {error.strerror or error}.") from None
    sweep(folder)
    return lock


def _refuse_other_files(folder: Path, file: str, what: str) -> None:
    if (folder / file).exists():
        return
    # A process that was killed may have left a file half written.
    other = sorted(path.name for path in folder.iterdir() if path.name != "lock" and path.suffix != ".partial")
    if other:
        raise InputError(
            f"{folder} holds other files ({', '.join(other[:3])}) and no {what}; choose a folder of its own."
        )

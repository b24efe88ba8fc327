"""A fit's folder: what is trained, the checkpoints, and the weights at the end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import filelock
from pydantic import ValidationError

from fallline.errors import InputError
from fallline.files import write_whole
from fallline.study.folders import claim
from fallline.study.specification import Specification

FILE = "fit.json"
FORMAT = 1


@dataclass(frozen=True)
class Stored:
    """What a fit's folder says of it: specification, plan and environment as a study has them, and the cadence."""

    specification: Specification
    plan: Mapping[str, Any]
    environment: Mapping[str, Any]
    checkpoint_every: str


class FitFolder:
    """`fit.json`, `last.safetensors`, `best.safetensors`, and `weights.safetensors` once the training has ended."""

    def __init__(self, folder: Path, lock: filelock.BaseFileLock | None = None) -> None:
        self.folder = folder
        self.last = folder / "last.safetensors"
        self.best = folder / "best.safetensors"
        self.weights = folder / "weights.safetensors"
        self._lock = lock

    @classmethod
    def writer(cls, folder: str | Path) -> Self:
        """Open a folder to train in, making it if need be; raises InputError where that cannot be done."""
        folder = Path(folder)
        return cls(folder, claim(folder, FILE, "training"))

    def begin(self, specification: str, plan: Mapping[str, Any], environment: Mapping[str, Any], every: str) -> None:
        """Write down what is trained here; once."""
        document = {
            "format": FORMAT,
            "specification": json.loads(specification),
            "plan": plan,
            "environment": environment,
            "checkpoint_every": every,
        }
        write_whole(self.folder / FILE, json.dumps(document, indent=1).encode())

    def stored(self) -> Stored | None:
        """What was written down, or None in a new folder."""
        path = self.folder / FILE
        if not path.is_file():
            return None
        try:
            document = json.loads(path.read_bytes())
            if document["format"] != FORMAT:
                raise InputError(
                    f"{path} was made by another fallline (format {document['format']}; this one knows {FORMAT})."
                )
            return Stored(
                Specification.model_validate_json(json.dumps(document["specification"])),
                document["plan"],
                document["environment"],
                document["checkpoint_every"],
            )
        except (OSError, ValidationError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"{path} is damaged, or made by another fallline: {error}. Begin anew in another store."
            ) from None

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_fit(folder: str | Path) -> bool:
    """Whether a folder is that of a fit."""
    return (Path(folder) / FILE).is_file()

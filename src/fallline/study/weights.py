"""Final weights in a study's folder: those of reruns are kept, in a sweep those of each optimizer's best setting."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import safetensors.torch
from torch import Tensor

from fallline.errors import InputError
from fallline.files import write_whole
from fallline.protocol import Seeds
from fallline.study.ranking import GROUP, best_setting, grouped
from fallline.study.record import Record


def save_weights(folder: Path, key: str, weights: Mapping[str, Tensor]) -> None:
    """Write a member's final weights as `weights/<key>.safetensors`."""
    write_whole(_path(folder, key), safetensors.torch.save(dict(weights)))


def load_weights(folder: Path, key: str) -> dict[str, Tensor]:
    """A member's final weights."""
    path = _path(folder, key)
    if not path.is_file():
        raise InputError(
            f"The weights {path} are not there: those of reruns are kept, and in a sweep those of the best settings."
        )
    return safetensors.torch.load_file(path)


def beaten(before: Iterable[Record], ended: Sequence[Record], seeds: Seeds) -> set[str]:
    """The members whose weights are not kept, now that some more have ended: of these all that belong to a search on
    which reruns follow; in a sweep all whose setting another has beaten, which counts once all its seeds have ended.
    """
    if seeds.final:
        return {record.key for record in ended if record["phase"] == "search"}
    found: set[str] = set()
    for members in grouped([*before, *ended], GROUP):
        complete = [runs for runs in grouped(members, ("hyperparameters",)) if len(runs) == seeds.search]
        if len(complete) > 1:
            best = {run.key for run in best_setting(_flat(complete))}
            found |= {run.key for run in _flat(complete) if run.key not in best}
    return found


def forget_weights(folder: Path, keys: Iterable[str]) -> None:
    """Delete the weights of members, of those that have any."""
    kept = {path.stem for path in (folder / "weights").glob("*.safetensors")}
    for key in kept.intersection(keys):
        _path(folder, key).unlink(missing_ok=True)


def _flat(groups: Sequence[Sequence[Record]]) -> list[Record]:
    return [record for group in groups for record in group]


def _path(folder: Path, key: str) -> Path:
    return folder / "weights" / f"{key}.safetensors"

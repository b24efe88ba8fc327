"""Where a study ran, and digests of the code and data that its results depend on."""

import inspect
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import fallline
from fallline.problems import Prepared
from fallline.problems.kept import Kept
from fallline.problems.objective import rows
from fallline.study.fingerprint import changed, fingerprint
from fallline.whose import is_users

PACKAGES = ("torch", "numpy", "scipy")


def environment(
    problems: Mapping[str, Prepared],
    models: Mapping[str, Sequence[str]],
    code: Mapping[str, Any],
    command: str | None,
) -> dict[str, Any]:
    """Versions, machine, command, the rows that are evaluated, and the digests of data, initial models and code.

    `code` are the classes and functions that results depend on beside the problems', by what they are.
    """
    objects = {**code, **_functions(problems)}
    return {
        "fallline": fallline.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cpu": cpu(),
        "gpu": gpu(problems),
        "cores": os.cpu_count(),
        "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "command": command,
        "rows": {name: _evaluated_rows(problem) for name, problem in problems.items()},
        "digests": {
            "data": {name: problem.digests for name, problem in problems.items()},
            "models": {name: list(digests) for name, digests in models.items()},
            "code": {"fallline": _package_digest(), **_user_code(objects.values())},
            "objects": {name: fingerprint(thing) for name, thing in objects.items()},
        },
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of the code and data differs, in words."""
    old, new = before["digests"], now["digests"]
    found = [
        f"the {split} data of {problem}"
        for problem, splits in new["data"].items()
        for split, digest in splits.items()
        if old["data"].get(problem, {}).get(split) != digest
    ]
    found += [
        f"the initial model of {name}" for name in new["models"] if old["models"].get(name) != new["models"][name]
    ]
    # The files of the first run are looked at again: another command may have loaded others beside them.
    found += [f"the code of {name}" for name, known in old["code"].items() if known != _code_digest(name)]
    # One file may hold several losses.
    return found or other_objects(before, now)


def other_objects(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Which functions and classes of both are not the same, in words; none where another Python has other instructions
    for the same code.
    """
    if before["python"].rpartition(".")[0] != now["python"].rpartition(".")[0]:
        return []
    old, new = before["digests"].get("objects", {}), now["digests"].get("objects", {})
    # Another version of a library may have given its objects other attributes.
    alone = all(before.get(name) == now.get(name) for name in PACKAGES)
    found = {name: changed(old[name], new[name], alone) for name in old if name in new}
    return [name if "" in paths else f"{name} ({', '.join(paths[:3])})" for name, paths in found.items() if paths]


def moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs that may change the last bits: versions and processors; the plan keeps the threads."""
    names = ("python", *PACKAGES, "cpu", "gpu", "default_dtype")
    return [f"{name} {before.get(name)} -> {now.get(name)}" for name in names if before.get(name) != now.get(name)]


@cache
def cpu() -> str:
    """The processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _evaluated_rows(problem: Prepared) -> dict[str, int | None]:
    """How many rows of each split an evaluation sees; None of a DataLoader that is read anew."""
    return {
        name: sum(map(rows, split.batches)) if isinstance(split, Kept) else split.rows
        for name, split in problem.evaluated.items()
    }


def gpu(problems: Mapping[str, Prepared]) -> str | None:
    """The name of the GPU that problems are on, if they are."""
    device = next(iter(problems.values())).device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def _functions(problems: Mapping[str, Prepared]) -> dict[str, Any]:
    """The models, losses and metrics of problems, by what they are."""
    found: dict[str, Any] = {}
    for name, prepared in problems.items():
        problem = prepared.problem
        found |= {f"the model of {name}": problem.model, f"the loss of {name}": problem.loss}
        found |= {f"the metric {metric} of {name}": function for metric, function in problem.metrics.items()}
    return found


def _user_code(objects: Iterable[Any]) -> dict[str, str]:
    own = {path for path in map(_source_file, objects) if path is not None and _is_users(path)}
    # Of the thousands of modules that torch loads none need be looked at where no code is the user's.
    files = own | {path for path in _modules_under({path.parent for path in own}) if _is_users(path)} if own else own
    return {str(path): _code_digest(str(path)) for path in sorted(files)}


def _modules_under(folders: Iterable[Path]) -> set[Path]:
    within = tuple(os.path.join(folder, "") for folder in folders)
    loaded = {_real(str(file)) for module in list(sys.modules.values()) if (file := _file_of(module))}
    return {Path(file) for file in loaded if file.startswith(within)}


@cache
def _real(file: str) -> str:
    """Where a module's file lies; asking the file system for all of them takes a tenth of a second."""
    return os.path.realpath(file)


def _is_users(path: Path) -> bool:
    return path.suffix == ".py" and path.is_file() and is_users(str(path))


def _file_of(module: Any) -> Any:
    return getattr(module, "__file__", None)


def _code_digest(name: str) -> str:
    if name == "fallline":
        return _package_digest()
    path = Path(name)
    return blake2b(path.read_bytes(), digest_size=16).hexdigest() if path.is_file() else "missing"


def _source_file(thing: Any) -> Path | None:
    for candidate in (thing, type(thing)):
        try:
            file = inspect.getsourcefile(inspect.unwrap(candidate))
        except Exception:
            # An object may answer with anything when it is asked for what it wraps.
            continue
        if file is not None and not file.startswith("<"):
            return Path(file).resolve()
    return None


@cache
def _package_digest() -> str:
    total = blake2b(digest_size=16)
    package = Path(fallline.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in ("report", "cli", "gallery"):
            total.update(path.read_bytes())
    return total.hexdigest()


def _version(name: str) -> str | None:
    if name in sys.modules:
        return str(sys.modules[name].__version__)
    try:
        return version(name)
    except PackageNotFoundError:
        return None

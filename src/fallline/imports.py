"""Objects named as text: `path/to/file.py:name` and `package.module:name`."""

import importlib
import importlib.util
import sys
from hashlib import blake2b
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from fallline.errors import InputError
from fallline.suggestions import unknown


def is_reference(text: str) -> bool:
    """Whether text names an object in a file or module rather than a built-in name."""
    place, _, name = text.rpartition(":")
    return bool(place) and (place.endswith(".py") or place.replace(".", "").replace("_", "").isalnum()) and bool(name)


def absolute(reference: str) -> str:
    """The same reference with the whole path of its file, so that it can be loaded from any folder."""
    place, colon, name = reference.rpartition(":")
    return f"{Path(place).resolve()}{colon}{name}" if place.endswith(".py") else reference


def load_object(reference: str) -> Any:
    """The object that `file.py:name` or `package.module:name` refers to.

    Raises InputError where the file, the module or the name does not exist, or the file itself fails.
    """
    place, _, name = reference.rpartition(":")
    value: Any = _module(place)
    for part in name.split("."):
        if not hasattr(value, part):
            raise InputError(f"In {place}: " + unknown(part, _own(value), "name", _public(value)))
        value = getattr(value, part)
    return value


def objects_in(place: str) -> dict[str, Any]:
    """The public objects of a file or module by name, without what it imports from elsewhere.

    Raises InputError as `load_object` does.
    """
    return _own(_module(place))


def _own(owner: Any) -> dict[str, Any]:
    return {name: value for name, value in _public(owner).items() if not _is_imported(value, owner)}


def _public(owner: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(owner).items() if not name.startswith("_")}


def _is_imported(value: Any, owner: Any) -> bool:
    """Whether it is a module, or a class or function from elsewhere than a module and what lies beneath it."""
    if not isinstance(owner, ModuleType) or not isinstance(value, type | FunctionType):
        return isinstance(value, ModuleType)
    return value.__module__ != owner.__name__ and not value.__module__.startswith(f"{owner.__name__}.")


def _module(place: str) -> ModuleType:
    return import_file(Path(place)) if place.endswith(".py") else _package_module(place)


def imported_files() -> list[str]:
    """The files of modules that were imported by path, so that another process can import them too: those that are
    still there.
    """
    files = [(name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items())]
    by_path = [Path(file) for name, file in files if file is not None and name == _module_name(Path(file))]
    return [str(path) for path in by_path if path.is_file()]


def _module_name(path: Path) -> str:
    return f"{path.stem}_{blake2b(str(path).encode(), digest_size=4).hexdigest()}"


def import_file(path: Path) -> ModuleType:
    """The module of a file, imported once. Raises InputError where there is no such file, or it fails."""
    if not path.is_file():
        raise InputError(f"There is no file {path} (looked in {Path.cwd()}).")
    path = path.resolve()
    module_name = _module_name(path)
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be imported as Python.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise InputError(_failed(str(path), error)) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _package_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise InputError(
                f"There is no module {name!r}. Give a file as path/to/file.py:name, or install the package."
            ) from error
        raise InputError(_failed(name, error)) from error
    except Exception as error:
        raise InputError(_failed(name, error)) from error


def _failed(where: str, error: Exception) -> str:
    line = None
    if isinstance(error, SyntaxError):
        line = error.lineno
    else:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == where:
                line = trace.tb_lineno
            trace = trace.tb_next
    at = f", line {line}" if line else ""
    return f"Importing {where} failed{at}: {type(error).__name__}: {error}"

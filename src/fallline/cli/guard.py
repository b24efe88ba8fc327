"""What went wrong, as one message on standard error and an exit code."""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.models import OptionInfo

from fallline.errors import InputError, MachineError, WrongArgument

BAD_INPUT, MACHINE_FAILED, INTERRUPTED, TERMINATED = 2, 3, 130, 143


class Terminated(BaseException):
    """Another program asked this one to stop."""


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command, whose errors become messages and exit codes; a bug of ours still shows its traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except WrongArgument as error:
            _leave(f"Error: {error.told(functools.partial(_spelled, command))}", BAD_INPUT, error)
        except InputError as error:
            _leave(f"Error: {error}", BAD_INPUT, error)
        except KeyboardInterrupt as error:
            _leave("Interrupted.", INTERRUPTED, error)
        except Terminated as error:
            _leave("Terminated.", TERMINATED, error)
        except BrokenPipeError:
            # Whoever read our output has gone; Python must not complain about it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except MachineError as error:
            _leave(f"Error: {error}", MACHINE_FAILED, error)
        except RuntimeError as error:
            if "allocate memory" not in str(error) and "out of memory" not in str(error):
                raise
            _leave(f"Error: the machine failed: {str(error).splitlines()[0]}", MACHINE_FAILED, error)
        except (OSError, MemoryError) as error:
            _leave(f"Error: the machine failed: {str(error) or 'out of memory'}.", MACHINE_FAILED, error)

    return run


def _spelled(command: Callable[..., None], name: str) -> str:
    """The option that an argument has on the command line; in Python the name of one that takes several is a plural."""
    options = {}
    for parameter in inspect.signature(command).parameters.values():
        for told in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(told, OptionInfo):
                written = told.param_decls or (f"--{parameter.name.replace('_', '-')}",)
                options[parameter.name] = str(written[0])
    return options.get(name) or options.get(name.removesuffix("s"), name)


def _leave(message: str, code: int, error: BaseException) -> None:
    print("\n".join([message, *getattr(error, "__notes__", [])]), file=sys.stderr)
    raise typer.Exit(code) from None

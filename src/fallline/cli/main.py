"""The entry point: runs a command and turns what went wrong into one message and an exit code."""

import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from fallline.cli.app import app
from fallline.errors import InputError, MachineError

DONE, BAD_INPUT, MACHINE_FAILED, INTERRUPTED, TERMINATED = 0, 2, 3, 130, 143


class Terminated(BaseException):
    """Another program asked this one to stop."""


def main() -> NoReturn:
    """Run `fallline`; exits with 0 done, 2 bad input, 3 the machine failed, 130 or 143 on signals."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_run())


def _run() -> int:
    try:
        code = app(standalone_mode=False)
    except click.exceptions.Abort as error:
        return _say("Interrupted.", INTERRUPTED, error.__cause__ or error.__context__)
    except KeyboardInterrupt as error:
        return _say("Interrupted.", INTERRUPTED, error)
    except Terminated as error:
        return _say("Terminated.", TERMINATED, error)
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except InputError as error:
        return _say(f"Error: {error}", BAD_INPUT, None)
    except MachineError as error:
        return _say(f"Error: {error}", MACHINE_FAILED, None)
    except BrokenPipeError:
        sys.stdout = None  # type: ignore[assignment]
        return DONE
    except (OSError, MemoryError) as error:
        return _say(f"Error: the machine failed: {error or 'out of memory'}", MACHINE_FAILED, error)
    return code if isinstance(code, int) else DONE


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _say(message: str, code: int, error: BaseException | None) -> int:
    notes = getattr(error, "__notes__", []) if error is not None else []
    print("\n".join([message, *notes]), file=sys.stderr)
    return code

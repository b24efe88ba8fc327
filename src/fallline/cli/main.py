"""The entry point of the command line."""

import signal
from types import FrameType

from fallline.cli.app import app
from fallline.cli.guard import Terminated


def main() -> None:
    """Run `fallline`; exits with 0 done, 2 bad input, 3 the machine failed, 130 or 143 on signals."""
    signal.signal(signal.SIGTERM, _terminate)
    app()


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated

"""The entry point of the command line."""

import signal
import sys
from types import FrameType

from fallline.cli.app import app
from fallline.cli.guard import TERMINATED, Terminated


def main() -> None:
    """Run `fallline`; exits with 0 done, 2 bad input, 3 the machine failed, 130 or 143 on signals."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except Terminated:
        # It came before the command, whose errors are guarded, had begun.
        print("Terminated.", file=sys.stderr)
        sys.exit(TERMINATED)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated

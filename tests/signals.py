"""What a test that sends signals needs."""

import signal


def heed_interrupts() -> None:
    """For a child process: a shell that runs the tests in the background has it ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

"""What can go wrong that is not a result: bad input, and a machine that failed us."""


class FalllineError(Exception):
    """Any error that fallline raises on purpose; its message says what to do."""


class InputError(FalllineError, ValueError):
    """Bad input, found before any training: what was got, what was expected, where, what to do."""


class MachineError(FalllineError):
    """The disk, the memory or another program failed; what was trained is kept and can be resumed."""

"""What can go wrong that is not a result: bad input, and a machine that failed us."""


class FalllineError(Exception):
    """Any error that fallline raises on purpose; its message says what to do."""


class InputError(FalllineError, ValueError):
    """Bad input, found before any training: what was got, what was expected, where, what to do."""


class MachineError(FalllineError):
    """The disk, the memory or another program failed; what was trained is kept and can be resumed."""


def describe_failure(error: BaseException) -> str:
    """What an exception in somebody else's code says, and the line that raised it."""
    said = " ".join(str(error).split())
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    return f"{type(error).__name__}: {said}{place}"

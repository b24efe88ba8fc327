"""What a test that looks at other processes needs."""

import time
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that a process has begun."""
    stats = {int(path.parent.name): _stat(int(path.parent.name)) for path in Path("/proc").glob("[0-9]*/stat")}
    return [child for child, stat in stats.items() if stat and int(stat[1]) == pid]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to notice does not."""
    stat = _stat(pid)
    return bool(stat) and stat[0] not in "ZX"


def gone(pids: list[int], seconds: float = 15.0) -> bool:
    """Whether all processes end within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.02)
    return False


def _stat(pid: int) -> list[str]:
    """State, parent and so on; nothing where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []

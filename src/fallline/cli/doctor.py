"""`fallline doctor`."""

import os
import sys
from pathlib import Path


def doctor() -> None:
    """Say what this machine offers: versions, processor, devices, data, and whether a store can be written."""
    import platform
    import sqlite3

    import platformdirs
    import torch

    from fallline import __version__
    from fallline.problems.files import VARIABLE

    cache = Path(platformdirs.user_cache_dir("fallline"))
    devices = ["cpu", *(f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count()))]
    named = os.environ.get(VARIABLE)
    lines = {
        "fallline": __version__,
        "python": f"{platform.python_version()} at {sys.executable}",
        "torch": torch.__version__,
        "sqlite": sqlite3.sqlite_version,
        "cores": f"{os.cpu_count()}, torch uses {torch.get_num_threads()} threads",
        "devices": ", ".join(devices),
        "data": f"{VARIABLE}={named}" if named else f"cache {cache}{'' if cache.is_dir() else ' (empty)'}",
        "store": f"{Path.cwd()} {'can' if os.access(Path.cwd(), os.W_OK) else 'CANNOT'} be written",
    }
    for name, value in lines.items():
        print(f"{name:10}{value}")

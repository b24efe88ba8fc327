"""Commands as a user types them: within the process of the tests, or each in one of its own."""

import contextlib
import os
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import patch

from typer.testing import CliRunner

from fallline.cli.app import app

COLUMNS = {"COLUMNS": "200"}
ENVIRONMENT = {**os.environ, **COLUMNS}


def fallline(*words, cwd="."):
    """A command within this process, which spares it the imports."""
    typed = ["fallline", *map(str, words)]
    with contextlib.chdir(cwd), patch.object(sys, "argv", typed):
        run = CliRunner(env=COLUMNS).invoke(app, typed[1:], prog_name="fallline")
    if run.exception is not None and not isinstance(run.exception, SystemExit):
        raise run.exception
    return SimpleNamespace(returncode=run.exit_code, stdout=run.stdout, stderr=run.stderr)


def in_own_process(*words, cwd=None):
    """A command in a process of its own, from the imports to the exit code."""
    command = [sys.executable, "-m", "fallline", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=ENVIRONMENT)

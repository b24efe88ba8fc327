"""The interpreter of an environment that has JAX and optax, and nothing of ours."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import platformdirs

JAX = "0.10.2"
PACKAGES = (f"jax=={JAX}", f"jaxlib=={JAX}", "optax==0.2.8", "numpy==2.4.6")


def jax_environment() -> str:
    """The interpreter, in the user's cache folder; the environment is made where it is missing."""
    folder = Path(platformdirs.user_cache_dir("fallline")) / "benchmarks" / f"jax-{JAX}"
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=False, clear=True)
        packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--target", str(packages), *PACKAGES], check=True)
        ready.touch()
    return str(python)

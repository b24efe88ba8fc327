"""Using fallline for the first time draws nothing from the user's generators."""

import subprocess
import sys

CODE = """
import random, numpy, torch, fallline as fl
random.seed(1), numpy.random.seed(1), torch.manual_seed(1)
before = random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist()
for name in fl.__all__:
    getattr(fl, name)
assert "rich.style" in __import__("sys").modules
assert before == (random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist())
"""


def test_the_first_use_of_every_name_leaves_the_generators_alone():
    subprocess.run([sys.executable, "-c", CODE], check=True)

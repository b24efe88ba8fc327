"""Plans that this machine has chosen before: the same command trains in the same way, to the bit, and measures once."""

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import platformdirs
import torch
from loky import cpu_count

from fallline.errors import MachineError
from fallline.files import write_whole
from fallline.plain import canonical
from fallline.study.plan import Plan
from fallline.study.specification import Specification

_PASSING = ("threads", "command", "data_dir")


def known_or_made(
    specification: Specification, environment: Mapping[str, Any], asked: Mapping[str, Any], make: Callable[[], Plan]
) -> Plan:
    """The plan for a study with this code, data, machine and versions; `asked` is what the user asked of the plan.

    Where none is known it is made and kept in the user's cache; a cache that cannot be written does no harm.
    """
    path = _path(specification, environment, asked)
    try:
        return Plan.from_json(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError):
        plan = make()
    try:
        write_whole(path, json.dumps(plan.to_json()).encode())
    except MachineError:
        # Plans are known so that time is saved; a study needs none.
        return plan
    return plan


def _path(specification: Specification, environment: Mapping[str, Any], asked: Mapping[str, Any]) -> Path:
    where = {name: value for name, value in environment.items() if name not in _PASSING}
    whole = canonical([specification.model_dump(mode="json"), where, dict(asked), torch.get_num_threads(), cpu_count()])
    digest = blake2b(whole.encode(), digest_size=16).hexdigest()
    return Path(platformdirs.user_cache_dir("fallline")) / "plans" / f"{digest}.json"

"""The torch.optim face: `fallline.optim.Adam(model.parameters(), lr=1e-3)`, and `Optimizer` for any rule."""

from typing import Any

from fallline import rules as _rules
from fallline.optim.face import face as face
from fallline.optim.optimizer import Optimizer as Optimizer
from fallline.optim.spelling import absent as _absent
from fallline.optim.weights import every_parameter as every_parameter
from fallline.optim.weights import is_weight as is_weight
from fallline.optim.weights import weights_only as weights_only

_faces = {
    name: face(rule)
    for name, rule in vars(_rules).items()
    if isinstance(rule, type) and issubclass(rule, _rules.Rule) and rule is not _rules.Rule
}
globals().update(_faces)
__all__ = ["Optimizer", "every_parameter", "face", "is_weight", "weights_only", *_faces]


def __getattr__(name: str) -> Any:
    raise AttributeError(_absent(name, __all__))

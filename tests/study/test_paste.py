import pytest
import torch
from torch import nn

import fallline as fl
from fallline.study.contenders import wrappers_of
from fallline.study.paste import paste_line
from fallline.study.specification import OptimizerSpecification
from tests.study.studies import compare


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd", "momentum:nesterov=true", "adam:weight_decay=1e-3", "adagrad:eps_inside_root=true", "adamw",
        "torch.optim.NAdam", "torch.optim.Adam:betas=(0.8,0.9)",
        fl.wrappers.L2(fl.rules.Adam(lr=0.1), 0.1), fl.wrappers.Maximize(fl.rules.SGD(lr=0.1)),
        fl.wrappers.DecoupledDecay(fl.wrappers.Maximize(fl.rules.RMSprop(momentum=0.9)), 0.5),
        fl.wrappers.L1(fl.wrappers.Clip(fl.rules.Adam(lr=0.1), norm=0.2), 0.3), fl.wrappers.Noise(fl.rules.SGD(lr=0.1)),
    ],
)  # fmt: skip
def test_the_line_to_paste_makes_the_optimizer(tmp_path, optimizer):

    best = compare(tmp_path, optimizers=[optimizer], lrs=[0.05], epochs=1).best()
    start, ours, theirs = torch.full((3,), 0.5), [], []
    for results, make in (
        (ours, lambda p: best.results.study.members[0].make_optimizer(nn.ParameterList([p]))),
        (theirs, lambda p: eval(best.code, {"torch": torch, "fallline": fl, "model": Parameters(p)})),
    ):
        p = nn.Parameter(start.clone())
        made = make(p)
        for step in range(3):
            p.grad = torch.tensor([0.1, -0.2, 0.3]) * (step + 1)
            made.step()
        results.append(p.detach())
    assert torch.allclose(ours[0], theirs[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (fl.wrappers.Clip(fl.rules.Adam(), norm=1.0), "Clip(fallline.rules.Adam(lr=0.001), norm=1.0)"),
        (
            fl.wrappers.L1(fl.wrappers.Clip(fl.rules.SGD(lr=0.1), value=0.5, global_norm=2.0), 1e-3),
            "L1(fallline.wrappers.Clip(fallline.rules.SGD(lr=0.1), value=0.5, global_norm=2.0), strength=0.001)",
        ),
        (fl.wrappers.Noise(fl.rules.SGD(lr=0.1)), "Noise(fallline.rules.SGD(lr=0.1), eta=0.01, gamma=0.55)"),
    ],
)
def test_wrappers_are_spelled_without_what_is_absent(rule, code):
    optimizer = OptimizerSpecification(
        label="any", source=None, kind=type(rule.core()).__name__, wrappers=wrappers_of(rule), hyperparameters={}
    )
    expected = f"fallline.optim.Optimizer(model.parameters(), fallline.wrappers.{code})"
    assert paste_line(optimizer, rule.hyperparameters()) == expected


class Parameters:
    def __init__(self, p):
        self.p = p

    def parameters(self):
        return [self.p]

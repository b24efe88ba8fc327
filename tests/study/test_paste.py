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


TREATED = {"l1": 0.1, "l2": 0.2, "decoupled_decay": 0.3, "clip_norm": 0.5, "gradient_noise": 0.0, "dropout": 0.5}


@pytest.mark.parametrize("optimizer", ["sgd", "adam:weight_decay=0.1", fl.wrappers.Maximize(fl.rules.Momentum())])
@pytest.mark.parametrize("penalise", ["weights", "all"])
def test_treatments_and_schedule_are_pasted_too(tmp_path, optimizer, penalise):
    factors = {name: value for name, value in TREATED.items() if name != "dropout"}
    if "weight_decay" in str(optimizer):
        factors.pop("l2")
    results = compare(
        tmp_path, optimizers=[optimizer], lrs=[0.05], epochs=1, seeds=1, penalise=penalise,
        vary={name: [value] for name, value in factors.items()}, schedules=["cosine"],
    )  # fmt: skip
    ends = []
    for ours in (True, False):
        torch.manual_seed(3)
        model = nn.Linear(2, 2)
        names = {"torch": torch, "fallline": fl, "model": model}
        if ours:
            made = names["optimizer"] = results.study.members[0].make_optimizer(model)
            exec("\n".join(results.best().code.split("\n")[1:]), names)
        else:
            exec(results.best().code, names)
            made = names["optimizer"]
        for step in range(3):
            for p in model.parameters():
                p.grad = torch.full_like(p, 0.3 * (step + 1))
            made.step()
            names["scheduler"].step()
        ends.append([p.detach() for p in model.parameters()])
    assert all(torch.allclose(a, b, rtol=1e-6) for a, b in zip(*ends, strict=True))
    steps = int(results.records[0].curve["step"][-1])
    assert made.param_groups[0]["lr"] == pytest.approx(0.05 * fl.schedules.Cosine()(3, steps))

import inspect

import pytest
import torch
from torch import nn

import fallline as fl
from fallline.problems.load import BUILT_IN
from fallline.study.contenders import wrappers_of
from fallline.study.paste import CROSS_ENTROPY, paste_line
from fallline.study.specification import OptimizerSpecification
from tests.study.studies import compare, curves, line


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd", "momentum:nesterov=true", "adam:weight_decay=1e-3", "adagrad:eps_inside_root=true", "adamw",
        "rprop:step_size_max=0.02", "asgd:t0=1", "sparseadam", "lion:beta1=0.8",
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


def test_a_routed_study_trains_is_pasted_and_goes_on(tmp_path):
    network = line(model=lambda: nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1)))
    given = {"problem": network, "optimizers": ["muon:others.lr=0.05"], "lrs": [0.02, 0.1]}
    results = compare(tmp_path, **given, schedules=["cosine"], vary={"l2": [1e-4]})
    assert results.best().optimizer == "muon+adamw"
    assert "Route(fallline.rules.Muon(lr=" in results.best().code
    assert "others=fallline.rules.AdamW(lr=0.05))" in results.best().code
    again = compare(tmp_path, **given, schedules=["cosine"], vary={"l2": [1e-4]})
    before, after = ([list(curve["train_loss"]) for curve in curves(found).values()] for found in (results, again))
    assert before == after


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


def test_a_winning_label_smoothing_and_patience_are_in_the_code(tmp_path):
    best = compare(
        tmp_path, "digits", ["sgd"], lrs=[0.5], epochs=6, seeds=1, validation=0.9, batch_sizes=[16],
        vary={"label_smoothing": [0.25], "patience": [1]},
    ).best()  # fmt: skip
    model = nn.Linear(64, 10)
    names = {"torch": torch, "fallline": fl, "model": model}
    exec(best.code, names)
    assert names["optimizer"].param_groups[0]["params"] == list(model.parameters())
    output, target = torch.tensor([[2.0, 0.0, 0.0, 0.0]]), torch.tensor([0])
    logs = output.log_softmax(dim=1)[0]
    by_hand = -(0.75 * logs[0] + 0.25 * logs.mean())
    assert torch.allclose(names["loss_function"](output, target), by_hand)
    assert best.code.endswith("# as fallline.fit(..., patience=1) does.")
    assert "Stop after an epoch without a lower validation loss" in best.code


def test_a_loss_that_is_not_known_is_named_in_a_comment(tmp_path):
    digits = fl.problems.load("digits")
    problem = fl.Problem(model=lambda: nn.Linear(64, 10), loss=nn.CrossEntropyLoss(), train=digits.train, name="own")
    results = compare(
        tmp_path, problem, ["sgd"], lrs=[0.1], epochs=1, seeds=1, vary={"label_smoothing": [0.1, 0], "patience": [2]}
    )
    codes = {row.factors["label_smoothing"]: results.paste_line(row) for row in results.ranking}
    for code in codes.values():
        exec(code, names := {"torch": torch, "fallline": fl, "model": nn.Linear(1, 1)})
        assert "loss_function" not in names
        assert "Stop after 2 epochs" in code
    assert "# Give your loss label_smoothing=0.1, in training alone" in codes[0.1]
    assert "label_smoothing" not in codes[0]


def test_what_is_off_is_not_in_the_code(tmp_path):
    results = compare(
        tmp_path, "digits", ["sgd"], lrs=[0.1], epochs=1, seeds=1, vary={"label_smoothing": [0], "patience": [None]}
    )
    assert results.best().code == "torch.optim.SGD(model.parameters(), lr=0.1)"


def test_the_losses_known_are_torchs_cross_entropy():
    sources = {name: inspect.getsource(BUILT_IN[name]) for name in BUILT_IN}
    assert tuple(name for name, source in sources.items() if "loss=cross_entropy" in source) == CROSS_ENTROPY

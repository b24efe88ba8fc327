"""Studies as torch's eager loops train them, one training after another; prints JSON. Run by benchmarks/study.py."""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

_began = time.perf_counter()
import torch  # noqa: E402

IMPORT_SECONDS = time.perf_counter() - _began
import numpy as np  # noqa: E402
from stopwatch import Measured, measured, middle, row  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn.functional import cross_entropy, linear, mse_loss, relu  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

NAMES = ("0.weight", "0.bias", "2.weight", "2.bias")
PRODUCTS_OF = 16
"""How many members' weights the products go round, so that no cache holds those of the next."""
NUDGE = 1e-5
"""By which part rates are moved to see which trainings are stable. So far off is 1 - 0.999 in single precision, in
which optax corrects Adam's bias."""
Make = Callable[[list[Tensor]], torch.optim.Optimizer]


def optimizer(rule: str, settings: dict[str, float], rate: float, params: list[Tensor]) -> torch.optim.Optimizer:
    """torch's own optimizer."""
    if rule == "Momentum":
        return torch.optim.SGD(params, lr=rate, momentum=settings.get("momentum", 0.9))
    if rule == "Adam":
        return torch.optim.Adam(params, lr=rate, betas=(0.9, settings.get("beta2", 0.999)))
    made: torch.optim.Optimizer = getattr(torch.optim, rule)(params, lr=rate, **settings)
    return made


def loop(makes: Sequence[Make], start: list[Tensor], x: Tensor, y: Tensor, order: Tensor) -> Tensor:
    """The leanest eager loop, one training after another: functions of tensors that stay in memory; losses are kept
    as tensors.
    """
    objective = mse_loss if y.is_floating_point() else cross_entropy
    curves = []
    for make in makes:
        params = [p.clone().requires_grad_() for p in start]
        made = make(params)
        first, first_bias, second, second_bias = params
        losses = []
        for rows in order:
            loss = objective(linear(relu(linear(x[rows], first, first_bias)), second, second_bias), y[rows])
            made.zero_grad()
            loss.backward()
            made.step()
            losses.append(loss.detach())
        curves.append(torch.stack(losses))
    return torch.stack(curves).cpu()


def tutorial(makes: Sequence[Make], start: list[Tensor], x: Tensor, y: Tensor, order: Tensor) -> Tensor:
    """The tutorials' loop: a DataLoader, a module for every optimizer, which take turns at each batch, and every loss
    read as a number.
    """

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.Linear(start[0].shape[1], start[0].shape[0])
            self.predict = nn.Linear(start[2].shape[1], start[2].shape[0])

        def forward(self, x: Tensor) -> Tensor:
            return self.predict(relu(self.hidden(x)))

    nets = [Net().to(x.device) for _ in makes]
    for net in nets:
        for p, begin in zip(net.parameters(), start, strict=True):
            p.data.copy_(begin)
    optimizers = [make(list(net.parameters())) for make, net in zip(makes, nets, strict=True)]
    objective = nn.MSELoss() if y.is_floating_point() else nn.CrossEntropyLoss()
    losses: list[list[float]] = [[] for _ in makes]
    for batch, targets in DataLoader(TensorDataset(x, y), batch_sampler=order.tolist()):
        for net, made, curve in zip(nets, optimizers, losses, strict=True):
            loss = objective(net(batch), targets)
            made.zero_grad()
            loss.backward()
            made.step()
            curve.append(loss.item())
    return torch.tensor(losses)


LOOPS = {"torch loop": loop, "tutorial loop": tutorial}


def products(start: list[Tensor], batch: Tensor, repeats: int = 200) -> Measured:
    """The matrix products of a member-step alone, forward and backward, into memory made before."""
    several = []
    for _ in range(PRODUCTS_OF):
        first, second = start[0].clone(), start[2].clone()
        hidden = batch @ first.T
        output = hidden @ second.T
        several.append((first, second, hidden, output, torch.empty_like(hidden), first.clone(), second.clone()))

    def once(first: Tensor, second: Tensor, hidden: Tensor, output: Tensor, back: Tensor, *gradients: Tensor) -> None:
        torch.mm(batch, first.T, out=hidden)
        torch.mm(hidden, second.T, out=output)
        torch.mm(output.T, hidden, out=gradients[1])
        torch.mm(output, second, out=back)
        torch.mm(back.T, batch, out=gradients[0])

    for of in several:
        once(*of)
    return middle([measured(partial(once, *several[i % PRODUCTS_OF]))[1] for i in range(repeats)])


def chosen(count: int, few: int) -> list[int]:
    """A few of so many rates, evenly."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, max(1, few)))})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--loop", choices=tuple(LOOPS), default="torch loop")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--few", type=int, default=10, help="how many members of a program are trained")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--losses", type=Path, help="where losses are written, and those of the same trainings moved by little"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    given = np.load(options.folder / "arrays.npz")
    arrays = {name: torch.from_numpy(of).to(options.device) for name, of in given.items()}
    start, x, y = [arrays[name] for name in NAMES], arrays["x"], arrays["y"]
    above = [torch.nextafter(p, torch.full_like(p, torch.inf)) for p in start]
    train = LOOPS[options.loop]
    found: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for program in json.loads((options.folder / "programs.json").read_text()):
        contenders, what = program["contenders"], program["what"]
        rates, order = contenders[0]["rates"], arrays[f"order-{program['batch_size']}"].long()
        numbers, times, losses, moved = [], [], [], []
        for j in chosen(len(rates), options.few // len(contenders)):
            makes, nudged = (
                [partial(optimizer, one["rule"], one["settings"], rates[j] * by) for one in contenders]
                for by in (1, 1 + NUDGE)
            )
            if not times:
                train(makes, start, x, y, order[:20])
            trained, took = measured(partial(train, makes, start, x, y, order))
            times.append(took)
            losses.append(trained)
            numbers += [i * len(rates) + j for i in range(len(contenders))]
            if options.losses:
                moved.append(torch.stack([train(makes, above, x, y, order), train(nudged, start, x, y, order)]))
        typical = middle(times)
        found[what] = row(len(order), len(contenders), typical.seconds, cpu_seconds=typical.cpu_seconds)
        if program["problem"] == "mnist" and options.loop == "torch loop" and options.device == "cpu":
            found[what]["products_seconds"] = products(start, x[order[0]]).seconds
        if options.losses:
            kept[f"{what}/members"] = np.array(numbers)
            kept[f"{what}/losses"] = torch.cat(losses).numpy()
            kept[f"{what}/moved"] = torch.cat(moved, dim=1).numpy()
    if options.losses:
        np.savez(options.losses, **kept)
    versions = {"torch": torch.__version__}
    print(json.dumps({"versions": versions, "import_seconds": IMPORT_SECONDS, "programs": found}))


if __name__ == "__main__":
    main()

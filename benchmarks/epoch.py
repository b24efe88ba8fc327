"""One epoch of MNIST in the tutorials' way against fallline's: `FALLLINE_DATA=DIR python benchmarks/epoch.py`.

Both sides train 784-200-10 with SGD, batch 64, on the 60,000 images, in fresh processes in turn. The tutorial's side
reads single images through a DataLoader, each turned from a PIL image into a tensor, normalised and flattened as
torchvision's ToTensor and Normalize do it, and calls loss.item() every step. Ours is a member of a study; its time is
printed without and with the study's 21 evaluations, which the tutorial's epoch does not have. Prints the medians and
their ratio, and writes them to benchmarks/results/epoch.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results" / "epoch.json"


def tutorial() -> dict[str, float]:
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    from fallline.problems.mnist import FILES, parse_idx

    images = parse_idx(FILES["train images"].read(), "train images").numpy()
    labels = parse_idx(FILES["train labels"].read(), "train labels").tolist()

    def to_tensor(picture: Image.Image) -> torch.Tensor:
        x = torch.from_numpy(np.array(picture, np.uint8, copy=True))
        return x.view(28, 28, 1).permute(2, 0, 1).contiguous().to(torch.float32).div(255)

    def normalise(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        mean, deviation = torch.as_tensor([0.5]), torch.as_tensor([0.5])
        return x.sub_(mean.view(-1, 1, 1)).div_(deviation.view(-1, 1, 1))

    class Pictures(Dataset[Any]):
        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, i: int) -> Any:
            return normalise(to_tensor(Image.fromarray(images[i], mode=None))), labels[i]

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loader = DataLoader(Pictures(), batch_size=64, shuffle=True)
    began = time.perf_counter()
    total = 0.0
    for picture, label in loader:
        loss = criterion(model(picture.view(picture.size(0), -1)), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "mean_loss": total / len(loader), "threads": torch.get_num_threads()}


def ours() -> dict[str, float]:
    import torch

    from fallline.problems import load, prepare
    from fallline.rules import SGD
    from fallline.training import Budget, Member, train_cohort

    problem = prepare(load("mnist", scaling="symmetric"), 0, torch.device("cpu"), validation=0)
    rule = SGD(lr=0.01)
    member = Member("mnist", "sgd", rule, rule.hyperparameters(), batch_size=64)
    began = time.perf_counter()
    trained = train_cohort([member], problem, Budget(epochs=1), seed=0)[0]
    whole = time.perf_counter() - began
    losses = trained.curve["batch_loss"][1:]
    return {
        "seconds": trained.seconds,
        "seconds_with_evaluations": whole,
        "mean_loss": sum(losses) / len(losses),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="fresh processes of each side")
    parser.add_argument("--side", choices=["tutorial", "ours"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps({"tutorial": tutorial, "ours": ours}[options.side]()))
        return
    runs: dict[str, list[dict[str, float]]] = {"tutorial": [], "ours": []}
    for number in range(options.runs):
        for side, results in runs.items():
            finished = subprocess.run(
                [sys.executable, __file__, "--side", side], check=True, capture_output=True, text=True
            )
            results.append(json.loads(finished.stdout))
            print(f"run {number + 1} {side:9}{results[-1]['seconds']:.2f} s", flush=True)
    # Not above: the tutorial runs without fallline.
    from fallline.study.environment import cpu

    medians = {side: median(run["seconds"] for run in results) for side, results in runs.items()}
    evaluated = median(run["seconds_with_evaluations"] for run in runs["ours"])
    document = {
        "what": "one MNIST epoch, 784-200-10, SGD, batch 64",
        "machine": {
            "cpu": cpu(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "threads": runs["ours"][0]["threads"],
        },
        "medians": {**medians, "ours_with_evaluations": evaluated},
        "ratio": medians["tutorial"] / medians["ours"],
        "ratio_with_evaluations": medians["tutorial"] / evaluated,
        "runs": runs,
    }
    print(
        f"tutorial {medians['tutorial']:.2f} s, fallline {medians['ours']:.2f} s: {document['ratio']:.1f} times faster"
    )
    print(f"with 21 evaluations {evaluated:.2f} s: {document['ratio_with_evaluations']:.1f} times faster")
    print(f"medians of {options.runs} runs a side; {document['machine']}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()

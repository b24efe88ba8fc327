"""All that a training needs to go on as if it had never stopped."""

from typing import Any

import torch

from fallline.training.batches import Place
from fallline.training.curve import COUNTS
from fallline.training.outcome import Ending, Outcome
from fallline.training.training import Training


def snapshot(training: Training) -> dict[str, Any]:
    """A tree that a checkpoint can hold: model, optimizer, place in the data, curve, stopping, outcome.

    It shares memory with the training and is good until the next step.
    """
    model = training.model
    state = dict(model.state_dict())
    stopping, outcome = training.stopping, training.outcome
    return {
        "done": training.done,
        "samples": training.samples,
        "evaluations": training.evaluations,
        "seconds": training.seconds,
        "place": tuple(training.place),
        "model": state,
        "buffers": {name: buffer for name, buffer in model.named_buffers() if name not in state},
        "optimizer": training.optimizer.state_dict(),
        "curve": {name: torch.tensor(values, dtype=torch.float64) for name, values in training.curve.columns.items()},
        "kept": [list(training.curve.losses), torch.tensor(list(training.curve.losses.values()), dtype=torch.float64)],
        "losses": torch.stack(training.losses) if training.losses else None,
        "stopping": None if stopping is None else [stopping.step, stopping.loss, stopping.best],
        "outcome": None if outcome is None else [str(outcome.ending), outcome.step, outcome.cause, outcome.restored],
    }


def go_on(training: Training, tree: dict[str, Any]) -> None:
    """Put a new training of the same member where the snapshot was taken."""
    training.done, training.samples, training.seconds = tree["done"], tree["samples"], tree["seconds"]
    training.evaluations = tree["evaluations"]
    training.place = Place(*tree["place"])
    training.model.load_state_dict(tree["model"])
    for name, value in tree["buffers"].items():
        training.model.get_buffer(name).copy_(value)
    _load(training.optimizer, tree["optimizer"])
    for name, values in tree["curve"].items():
        training.curve.columns[name] = [int(x) for x in values] if name in COUNTS else values.tolist()
    # A training that ended before losses were kept has none.
    steps, kept = tree.get("kept", ([], torch.empty(0)))
    training.curve.losses = dict(zip(steps, kept.tolist(), strict=True))
    training.losses = [] if tree["losses"] is None else list(tree["losses"])
    if training.stopping is not None:
        training.stopping.step, training.stopping.loss, training.stopping.best = tree["stopping"]
    if tree["outcome"] is not None:
        ending, step, cause, restored = tree["outcome"]
        training.outcome = Outcome(Ending(ending), step, cause, restored)


def _load(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    """torch casts the state to the parameters' dtype and adds entries to groups as it loads them: both are undone."""
    optimizer.load_state_dict(saved)
    if not {"state", "param_groups"} <= saved.keys():
        return
    for group, before in zip(optimizer.param_groups, saved["param_groups"], strict=True):
        for name in group.keys() - before.keys():
            del group[name]
        for p, number in zip(group["params"], before["params"], strict=True):
            if number in saved["state"]:
                optimizer.state[p] = saved["state"][number]

"""All that a population needs to go on as if it had never stopped."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fallline.cohorts.population import Population
from fallline.training.batches import Place
from fallline.training.curve import COUNTS, Curve
from fallline.training.outcome import Ending, Outcome


def snapshot(population: Population) -> dict[str, Any]:
    """A tree that a checkpoint can hold. It shares memory with the population and is good until the next step."""
    ones = population.ones
    population.count()
    names = list(ones[0].curve.columns)
    kept = max((list(one.curve.losses) for one in ones), key=len)
    return {
        "done": population.done,
        "samples": population.samples,
        "place": tuple(population.place),
        "whole_batch": population.whole_batch,
        "settings": population.settings,
        "evaluations": population.evaluations,
        "compactions": population.compactions,
        "weights": population.tensors.weights,
        "still": population.tensors.still,
        "state": population.tensors.state,
        "losses": torch.stack(population.losses) if population.losses else None,
        "lengths": [len(one.curve["step"]) for one in ones],
        "curves": {name: _padded([one.curve[name] for one in ones]) for name in names},
        "kept": [kept, _padded([list(one.curve.losses.values()) for one in ones])],
        "kept_lengths": [len(one.curve.losses) for one in ones],
        "seconds": [one.seconds for one in ones],
        "outcomes": [None if one.outcome is None else _plain(one.outcome) for one in ones],
        "ended": _stacked([one.weights or {} for one in ones]),
        "stopping": [None if one.stopping is None else [one.stopping.step, one.stopping.loss] for one in ones],
        "best": _stacked([{} if one.stopping is None else one.stopping.best for one in ones]),
    }


@torch.no_grad()
def go_on(population: Population, tree: Mapping[str, Any]) -> None:
    """Put a new population of the same members where the snapshot was taken."""
    population.done, population.samples = tree["done"], tree["samples"]
    population.place = Place(*tree["place"])
    population.whole_batch = tree["whole_batch"]
    population.compactions = tree["compactions"]
    if tree["settings"] != population.settings:
        population.keep(tree["settings"])
    population.evaluations = list(tree["evaluations"])
    for mine, saved in zip(_leaves(population), _leaves_of(tree), strict=True):
        mine.copy_(saved)
    population.losses = [] if tree["losses"] is None else list(tree["losses"])
    steps, losses = tree["kept"]
    ended, best = _unstacked(tree["ended"]), _unstacked(tree["best"])
    for place, one in enumerate(population.ones):
        one.curve = _curve(tree, place)
        one.curve.losses = dict(zip(steps, losses[place].tolist(), strict=True)) if steps else {}
        one.curve.losses = {s: one.curve.losses[s] for s in steps[: tree["kept_lengths"][place]]}
        one.seconds = tree["seconds"][place]
        outcome = tree["outcomes"][place]
        one.outcome = None if outcome is None else Outcome(Ending(outcome[0]), *outcome[1:])
        one.weights = ended.get(place)
        if one.stopping is not None:
            one.stopping.step, one.stopping.loss = tree["stopping"][place]
            one.stopping.best = best.get(place, {})


def _leaves(population: Population) -> list[Tensor]:
    tensors = population.tensors
    return _leaves_of({"weights": tensors.weights, "still": tensors.still, "state": tensors.state})


def _leaves_of(tree: Mapping[str, Any]) -> list[Tensor]:
    states = [state[name] for pieces in tree["state"] for state in pieces for name in sorted(state)]
    return [*tree["weights"], *(tree["still"][name] for name in sorted(tree["still"])), *states]


def _padded(rows: Sequence[Sequence[float]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[math.nan] * (longest - len(row))] for row in rows], dtype=torch.float64)


def _curve(tree: Mapping[str, Any], place: int) -> Curve:
    length = tree["lengths"][place]
    columns = {name: values[place, :length].tolist() for name, values in tree["curves"].items()}
    return Curve({name: [int(x) for x in c] if name in COUNTS else c for name, c in columns.items()})


def _plain(outcome: Outcome) -> list[Any]:
    return [str(outcome.ending), outcome.step, outcome.cause, outcome.restored]


def _stacked(sets: Sequence[Mapping[str, Tensor]]) -> list[Any]:
    """The places of those that have tensors, and these by name, stacked."""
    places = [place for place, tensors in enumerate(sets) if tensors]
    names = list(sets[places[0]]) if places else []
    return [places, {name: torch.stack([sets[place][name] for place in places]) for name in names}]


def _unstacked(stacked: Sequence[Any]) -> dict[int, dict[str, Tensor]]:
    places, tensors = stacked
    return {place: {name: x[i].clone() for name, x in tensors.items()} for i, place in enumerate(places)}

"""How often the whole protocol is wrong, simulated: `python benchmarks/calibration.py` (a few minutes on one core).

Search, selection, further trials and reruns are those of `fallline.protocol`, which studies run; only the trainings are
made up. A loss is a bowl over the logarithm of the learning rate, whose bottom is the optimizer's own, with what a seed
brings to all optimizers alike, and noise of each training; rates far above the best diverge. Searches are random ones,
of 7 trials in 4 decades, each optimizer's by itself, and each choice is by 3 seeds.

Prints what is found and writes benchmarks/results/calibration.json. `--quick` is small and writes nothing. Everything
is keyed, so that it prints the same every time.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fallline.keys import numpy_stream
from fallline.log_range import LogRange
from fallline.protocol import Contestant, Rerun, Seeds, Training, conduct, trial_settings
from fallline.statistics import Verdict, detectable_difference, exact_proportion, verdict
from fallline.statistics.sample import Numbers

RESULTS = Path(__file__).parent / "results" / "calibration.json"
SPACE = {"lr": LogRange(1e-4, 1.0)}
TRIALS = 7
ALPHA = 0.05


@dataclass(frozen=True)
class World:
    """Made-up optimizers: the least expected loss of each, what a decade beside the best rate costs (by its square),
    the spread of what a seed brings to all, and that of each training's own noise, normal or skewed.
    """

    bottoms: tuple[float, ...]
    decade: float = 0.2
    shared: float = 0.1
    noise: float = 0.03
    skewed: bool = False
    best: float = 1e-2
    diverges: float = 1.5

    def expected(self, contestant: int, rate: float) -> float:
        """The expected loss at a rate; infinite so many decades above the best."""
        away = np.log10(rate / self.best)
        return float("inf") if away > self.diverges else self.bottoms[contestant] + self.decade * away**2

    def losses(self, trainings: Sequence[Training], stream: np.random.Generator, seeds: Numbers) -> list[float]:
        """The loss of each training, given what each seed brings."""
        expected = np.array([self.expected(t.contestant, t.setting["lr"]) for t in trainings])
        shared = seeds[[training.seed for training in trainings]]
        normal = stream.normal(size=len(trainings))
        own = (np.exp(normal) - np.exp(0.5)) / 2.16 if self.skewed else normal
        losses: list[float] = (1.0 + expected + self.shared * shared + self.noise * own).tolist()
        return losses


def study(world: World, seeds: Seeds, number: int, search: bool = True, further: int = 0) -> list[Rerun]:
    """One study in a world, from its search to its reruns."""
    stream = numpy_stream(number, "a simulated study")
    brought = stream.normal(size=seeds.of_reruns(seeds.repeats - 1).stop)

    def settings(label: str, repeat: int) -> list[dict[str, Any]]:
        if not search:
            return [{"lr": world.best}]
        return trial_settings(SPACE, "random", TRIALS, number, label, repeat)

    field = [
        Contestant(f"copy {place}", [settings(f"copy {place}", repeat) for repeat in range(seeds.repeats)])
        for place in range(len(world.bottoms))
    ]
    course = conduct([field], seeds, further)
    stage = next(course)
    while True:
        try:
            stage = course.send(world.losses(stage.trainings, stream, brought))
        except StopIteration as end:
            found: list[Rerun] = end.value
            return found


def judge(reruns: Sequence[Rerun], seeds: Seeds) -> Verdict:
    """The verdict on a study: of a repeated search one result for each repeat."""
    results: dict[str, list[float]] = {}
    for rerun in reruns:
        own = rerun.results if seeds.repeats == 1 else [float(np.median(rerun.results))]
        results.setdefault(f"copy {rerun.contestant}", []).extend(own)
    return verdict(results)


def share(hits: int, of: int) -> dict[str, Any]:
    """A share with its exact interval at 95 %."""
    found = exact_proportion(hits, of)
    return {"share": hits / of, "low": found.low, "high": found.high, "of": of}


def claims(world: World, seeds: Seeds, studies: int, **how: Any) -> dict[str, Any]:
    """In how many studies of equal optimizers any pair is called different."""
    hits = sum(
        any(pair.differs for pair in judge(study(world, seeds, number, **how), seeds).comparisons)
        for number in range(studies)
    )
    return share(hits, studies)


def coverage(world: World, seeds: Seeds, studies: int, **how: Any) -> dict[str, Any]:
    """How often the interval of the first pair holds the true difference: of the values that were chosen, or where the
    search was repeated of the optimizers.
    """
    held = 0
    for number in range(studies):
        reruns = study(world, seeds, number, **how)
        found = judge(reruns, seeds)
        pair = found.comparisons[0]
        if seeds.repeats == 1:
            of = [world.expected(rerun.contestant, rerun.setting["lr"]) for rerun in reruns]
        else:
            of = list(world.bottoms)
        second, first = (int(name[-1]) for name in (pair.second, pair.first))
        truth = of[second] - of[first]
        held += bool(pair.lead.low <= truth <= pair.lead.high)
    return {**share(held, studies), "level": pair.lead.level}


def power(optimizers: int, studies: int, seeds: Seeds) -> dict[str, Any]:
    """How often the first of some optimizers is told from each other, where it is better by as much as is said to be
    detectable in 4 of 5 studies.
    """
    pairs = optimizers * (optimizers - 1) // 2
    world = World((0.0,) * optimizers)
    spread = world.noise * np.sqrt(2)
    planted = detectable_difference(_with_spread(seeds.final, float(spread)), pairs)
    world = replace(world, bottoms=(0.0, *(planted,) * (optimizers - 1)))
    hits = of = 0
    for number in range(studies):
        found = judge(study(world, seeds, number, search=False), seeds)
        own = [found.between("copy 0", f"copy {other}") for other in range(1, optimizers)]
        hits += sum(pair.differs and pair.first == "copy 0" for pair in own)
        of += len(own)
    return {**share(hits, of), "planted": planted, "spread": float(spread)}


def _with_spread(count: int, spread: float) -> list[float]:
    """So many differences with a given standard deviation."""
    signs = np.resize([1.0, -1.0], count)
    values: list[float] = (signs * spread / signs.std(ddof=1)).tolist()
    return values


def scenarios(studies: int) -> Mapping[str, Callable[[], dict[str, Any]]]:
    """What is simulated, by name."""
    two, six = World((0.0,) * 2), World((0.0,) * 6)
    once = given = Seeds(3, 10)
    repeated = Seeds(3, 3, 10)
    return {
        "two copies, search repeated 10 times": lambda: claims(two, repeated, studies),
        "two copies, search repeated 10 times, skewed noise": lambda: claims(
            replace(two, skewed=True), repeated, studies
        ),
        "two copies, search repeated 10 times, 2 further trials": lambda: claims(two, repeated, studies, further=2),
        "two copies, one search": lambda: claims(two, once, studies),
        "two copies, one search, flat bowl": lambda: claims(replace(two, decade=0.02), once, studies),
        "two copies, one search, steep bowl": lambda: claims(replace(two, decade=2.0), once, studies),
        "two copies, at the values given": lambda: claims(two, given, studies, search=False),
        "six copies, search repeated 10 times": lambda: claims(six, repeated, studies),
        "six copies, one search": lambda: claims(six, once, studies),
        "six copies, at the values given": lambda: claims(six, given, studies, search=False),
        "six copies, at the values given, skewed noise": lambda: claims(
            replace(six, skewed=True), given, studies, search=False
        ),
        "coverage, one search": lambda: coverage(World((0.0, 0.05)), once, studies),
        "coverage, search repeated 10 times": lambda: coverage(World((0.0, 0.05)), repeated, studies),
        "power, two optimizers": lambda: power(2, studies, given),
        "power, six optimizers, one better": lambda: power(6, studies, given),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50 studies each; nothing is written")
    options = parser.parse_args()
    studies = 50 if options.quick else 2000
    found = {}
    began = time.perf_counter()
    for name, simulate in scenarios(studies).items():
        found[name] = row = simulate()
        of = f"{row['share']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"
        level = f" at the level {row['level']:.1%}" if "level" in row else ""
        print(f"{name}: {of}{level}  ({time.perf_counter() - began:.0f} s)", flush=True)
    if not options.quick:
        RESULTS.write_text(json.dumps({"studies": studies, "alpha": ALPHA, "found": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()

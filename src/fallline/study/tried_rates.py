"""The learning rates that a search tried, with the runs of the best setting at each."""

from collections.abc import Mapping, Sequence

from fallline.statistics import RateRobustness, median_interval, rate_robustness
from fallline.study.ranking import grouped, selected_on
from fallline.study.record import Record


def tried_rates(records: Sequence[Record]) -> dict[float, list[Record]]:
    """The runs at each learning rate above 0, in ascending order, given the records of one row's search.

    Where other hyperparameters were tuned too, those of the setting that did best at this rate. Empty where no two
    settings share a rate and other values differ: what each rate could do is not known then.
    """
    settings = [runs for runs in grouped(records, ("hyperparameters",)) if _rate(runs[0]) is not None]
    by_rate: dict[float, list[list[Record]]] = {}
    for runs in settings:
        by_rate.setdefault(float(runs[0]["hyperparameters"]["lr"]), []).append(runs)
    others = {repr(sorted(_others(runs[0]).items())) for runs in settings}
    if len(others) > 1 and all(len(found) == 1 for found in by_rate.values()):
        return {}
    quantity = selected_on(records) if records else ""
    return {
        rate: min(by_rate[rate], key=lambda runs: median_interval([run.final(quantity) for run in runs]).median)
        for rate in sorted(by_rate)
    }


def robustness(records: Sequence[Record]) -> RateRobustness | None:
    """How many of the rates tried would have done, given the records of one row's search; None for fewer than two.

    None too where rates were tried on other seeds than others: of a search that has not ended, and of one that was
    repeated, where repeats tried rates of their own.
    """
    tried = tried_rates(records)
    if len(tried) < 2 or len({frozenset(run["seed"] for run in runs) for runs in tried.values()}) > 1:
        return None
    quantity = selected_on(records)
    by_seed = [sorted(runs, key=lambda run: int(run["seed"])) for runs in tried.values()]
    losses = [[run.final(quantity) for run in runs] for runs in zip(*by_seed, strict=True)]
    return rate_robustness(list(tried), losses)


def _rate(record: Record) -> float | None:
    rate = record["hyperparameters"].get("lr")
    return rate if isinstance(rate, int | float) and not isinstance(rate, bool) and rate > 0 else None


def _others(record: Record) -> Mapping[str, object]:
    return {name: value for name, value in record["hyperparameters"].items() if name != "lr"}

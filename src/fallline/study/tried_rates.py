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
    """How many of the rates tried would have done, given the records of one row's search; None for fewer than two."""
    tried = tried_rates(records)
    if len(tried) < 2:
        return None
    # Of a search that has not ended some rates lack seeds.
    seeds = max(map(len, tried.values()))
    whole = {rate: runs for rate, runs in tried.items() if len(runs) == seeds}
    quantity = selected_on(records)
    losses = [[runs[place].final(quantity) for runs in whole.values()] for place in range(seeds)]
    return rate_robustness(list(whole), losses) if len(whole) > 1 else None


def _rate(record: Record) -> float | None:
    rate = record["hyperparameters"].get("lr")
    return rate if isinstance(rate, int | float) and not isinstance(rate, bool) and rate > 0 else None


def _others(record: Record) -> Mapping[str, object]:
    return {name: value for name, value in record["hyperparameters"].items() if name != "lr"}

"""What was searched, in words."""

from collections.abc import Mapping, Sequence

from fallline.report.words import counted, listed, value_text
from fallline.study.specification import OptimizerSpecification, Specification

_DRAWN = {
    "random": "drawn log-uniformly",
    "sobol": "points of Sobol's sequence, scrambled",
    "halton": "points of Halton's sequence, scrambled",
}


def search_note(spec: Specification) -> str | None:
    """The search space of every optimizer and its digest, in a sentence; None where nothing was searched."""
    drawn = [o for o in spec.optimizers if o.ranges] if spec.search != "grid" else []
    whole = _spaces([optimizer for optimizer in spec.optimizers if optimizer not in drawn])
    parts = [f"Searched: {whole}"] if whole else []
    if drawn:
        how = f"{counted(spec.trials, 'trial')} each, {_DRAWN[spec.search]}"
        parts.append(f"Searched, {how}: {_spaces(drawn)}")
    return f"{'. '.join(parts)} (digest {spec.search_digest})." if parts else None


def _spaces(optimizers: Sequence[OptimizerSpecification]) -> str:
    found: dict[str, list[str]] = {}
    for optimizer in optimizers:
        if told := _space(optimizer):
            found.setdefault(told, []).append(optimizer.label)
    return "; ".join(f"{listed(labels)} {told}" for told, labels in found.items())


def _space(optimizer: OptimizerSpecification) -> str:
    """The hyperparameters of which several values may be tried; of one that was tried as given there is none."""
    told: Mapping[str, str] = {name: _values(optimizer, name) for name in optimizer.hyperparameters}
    return ", ".join(f"{name} {values}" for name, values in told.items() if values)


def _values(optimizer: OptimizerSpecification, name: str) -> str:
    values = optimizer.hyperparameters[name]
    if name in optimizer.ranges:
        low, high = map(value_text, optimizer.ranges[name])
        return f"{low} to {high}" + (f" in {len(values)} steps" if values else "")
    return "|".join(map(value_text, values)) if len(values) > 1 else ""

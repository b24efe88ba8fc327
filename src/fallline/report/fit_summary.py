"""What a fit found, in words for a terminal."""

import math
from pathlib import Path

from fallline.fitting import FitResult
from fallline.report.confusion import confusion_text
from fallline.report.words import SPLITS, decimals, number, setting_text


def summary(fit: FitResult, width: int = 80) -> str:
    """How the training ended, splits and metrics as a table, the confusion matrix, and how to load the weights."""
    parts = [_ending(fit), _table(fit)]
    if fit.confusion is not None and fit.confusion_on is not None:
        parts.append(confusion_text(fit.confusion, fit.confusion_on, width))
    parts.append(_files(fit))
    return "\n\n".join(parts)


def loading(path: Path, strict: bool) -> list[str]:
    """Two lines of plain PyTorch that put weights into a model."""
    lenient = "" if strict else ", strict=False"
    return [
        "from safetensors.torch import load_file",
        f'model.load_state_dict(load_file("{path}"){lenient})',
    ]


def _ending(fit: FitResult) -> str:
    record, outcome = fit.record, fit.outcome
    told = f"{record['problem']}, {record['optimizer']} ({setting_text(fit.setting)})"
    if outcome.diverged:
        return f"{told}: diverged at step {outcome.step:,}. {_sentence(outcome.cause)}"
    how = "finished" if outcome.cause is None else "stopped early"
    ending = f"{told}: {how} after {outcome.step:,} steps, {fit.record.seconds:.1f} s of training."
    if outcome.cause is not None:
        ending += f" {_sentence(outcome.cause)}"
    if outcome.restored is not None:
        ending += f" The weights are those of step {outcome.restored:,}."
    return ending


def _sentence(cause: str | None) -> str:
    return f"{cause[:1].upper()}{cause[1:]}." if cause else ""


def _table(fit: FitResult) -> str:
    metrics = fit.metrics
    names = list(next(iter(metrics.values())))
    places = {name: decimals([values[name] for values in metrics.values()]) for name in names}
    cells = {split: [_cell(values[name], places[name]) for name in names] for split, values in metrics.items()}
    widths = [max(len(name), *(len(row[i]) for row in cells.values())) for i, name in enumerate(names)]
    lines = [" " * 12 + "".join(f"{name:>{w + 2}}" for name, w in zip(names, widths, strict=True))]
    lines += [
        f"{SPLITS[split]:12}" + "".join(f"{cell:>{w + 2}}" for cell, w in zip(row, widths, strict=True))
        for split, row in cells.items()
    ]
    return "\n".join(lines)


def _cell(value: float, places: int | None) -> str:
    return number(value, places) if math.isfinite(value) else "-"


def _files(fit: FitResult) -> str:
    lines = [f"Store:   {fit.folder} (fit.json, last.safetensors, best.safetensors, weights.safetensors)"]
    if fit.kept is None:
        return f"Store:   {fit.folder}; there are no finite weights to load."
    if fit.outcome.diverged:
        lines = [
            f"Store:   {fit.folder}; best.safetensors holds the weights of step {fit.best_step}, before it diverged."
        ]
    state = fit.model.state_dict()
    strict = all(hasattr(value, "dtype") for value in state.values())
    return "\n".join([*lines, "", "To load the weights in plain PyTorch:", *loading(fit.kept, strict)])

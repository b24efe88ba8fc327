"""Still figures: loss curves, final loss against the learning rate, the path of an optimizer on a surface."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.problems import Surface
from fallline.report.canvas import LINE, ending, grid, headline, room_for, save, styled, title_width
from fallline.report.colors import Look, looks
from fallline.report.curves import draw_curves, shown_values
from fallline.report.finals import draw_finals
from fallline.report.panels import Panel, foremost, panels
from fallline.report.rates import draw_rates
from fallline.report.sensitivity import compares_rates, diverging, draw_sensitivity, final_values
from fallline.report.surfaces import draw_trace
from fallline.report.words import quantity_text
from fallline.study import StudyResults
from fallline.training.rate_search import FoundRate


def save_curves(results: StudyResults, path: str | Path) -> Path:
    """Draw every optimizer's loss curves at its best values, as PNG, PDF or SVG by the path's ending.

    The loss is the one that selected; every seed is a thin line, their median a bold one, x the last value before a
    divergence. One panel for each problem and each choice of factors, schedule and batch size, those of a problem on
    one scale; of more than twelve, those with the best results.
    """
    path = _checked(path)
    every, styles = _panels(results), _looks(results)
    shown = foremost(every)
    titles = [panel.wrapped_title(title_width(len(shown))) for panel in shown]
    loss = quantity_text(_quantity(shown))
    with styled():
        figure, axes = grid(len(shown), 4.6 if len(shown) == 1 else 3.3, len(styles), room_for(titles))
        for panel, title, ax in zip(shown, titles, axes, strict=True):
            scale = [value for other in shown if _comparable(other, panel) for value in shown_values(other)]
            draw_curves(ax, panel, styles, title, scale, with_values=len(shown) == 1)
        seeds = max(len(row.winners) for panel in shown for row in panel.rows)
        gone = any(run.diverged for panel in shown for row in panel.rows for run in row.winners)
        headline(
            figure,
            f"{loss[:1].upper()}{loss[1:]} of each optimizer at its best values",
            (f"bold: median of {seeds} seeds; thin: each seed" if seeds > 1 else "one seed")
            + ("; x: diverged" if gone else "")
            + _left_out(shown, every),
        )
        return save(figure, path)


def save_sensitivity(results: StudyResults, path: str | Path) -> Path:
    """Draw each optimizer's final loss against its learning rate, as PNG, PDF or SVG by the path's ending.

    Every seed is a point, lines join medians, the value that was chosen has a ring, and x in the band above the
    panel is a run that diverged. Where other hyperparameters were tuned too, each learning rate is shown with the
    best of their values. Where no optimizer was tried with two learning rates, the final losses are drawn row by row.
    """
    path = _checked(path)
    every, styles = _panels(results), _looks(results)
    shown = foremost(every)
    if not any(map(compares_rates, every)):
        return _save_finals(results, path)
    titles = [panel.wrapped_title(title_width(len(shown))) for panel in shown]
    more = any(set(row.tuned) - {"lr"} for panel in shown for row in panel.rows)
    with styled():
        band = LINE * max(len(diverging(panel)) for panel in shown)
        figure, axes = grid(len(shown), 4.6 if len(shown) == 1 else 3.3, len(styles), band + room_for(titles))
        for panel, title, ax in zip(shown, titles, axes, strict=True):
            scale = [value for other in shown if _comparable(other, panel) for value in final_values(other)]
            draw_sensitivity(ax, panel, styles, title, scale)
        headline(
            figure,
            f"Final {quantity_text(_quantity(shown))} against learning rate",
            "line: median; points: seeds; ring: chosen"
            + ("; x above: at least one seed diverged" if band else "")
            + ("; other tuned values: the best for each rate" if more else "")
            + _left_out(shown, every),
        )
        return save(figure, path)


def save_trace(path: "np.ndarray[Any, np.dtype[np.float64]]", surface: Surface, rule: str, file: str | Path) -> Path:
    """Draw the path of a rule, an array of shape (steps + 1, 2), on a surface's contours; `rule` is its name."""
    file = _checked(file)
    with styled():
        return save(draw_trace(np.asarray(path, dtype=np.float64), surface, rule), file)


def save_rates(found: FoundRate, file: str | Path) -> Path:
    """Draw the ramp and the fan of a learning-rate search, as PNG, PDF or SVG by the path's ending."""
    file = _checked(file)
    with styled():
        return save(draw_rates(found), file)


def _save_finals(results: StudyResults, path: Path) -> Path:
    with styled():
        figure = draw_finals(results, _looks(results))
        gone = any(run.diverged for row in results.ranking for run in row.winners)
        headline(
            figure,
            f"Final {quantity_text(_quantity(_panels(results)))}",
            "no optimizer was tried with two learning rates; bar: median; points: seeds"
            + ("; x: seeds that diverged" if gone else ""),
        )
        return save(figure, path)


def _comparable(one: Panel, other: Panel) -> bool:
    return (one.problem, one.selected_on) == (other.problem, other.selected_on)


def _left_out(shown: Sequence[Panel], every: Sequence[Panel]) -> str:
    """A line that says how many panels there are more."""
    if len(shown) == len(every):
        return ""
    return f"\n{len(shown)} of {len(every)} panels: those with the best results; the report has all of them"


def _checked(path: str | Path) -> Path:
    ending(Path(path))
    return Path(path)


def _panels(results: StudyResults) -> list[Panel]:
    shown = panels(results)
    if not shown:
        raise InputError("There is nothing to draw yet: no member of this study has ended.")
    return shown


def _looks(results: StudyResults) -> dict[str, Look]:
    return looks(optimizer.label for optimizer in results.specification.optimizers)


def _quantity(shown: Sequence[Panel]) -> str:
    quantities = {panel.selected_on for panel in shown}
    return quantities.pop() if len(quantities) == 1 else "loss"

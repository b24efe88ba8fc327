"""Study files: what is compared, in TOML, checked whole before anything is trained."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from fallline.errors import InputError, shown
from fallline.protocol import Search
from fallline.schedules import schedule
from fallline.study.conditions import checked_factors, known_factors, spelled_rule, undeclared_hint
from fallline.study.defaults import CLASSICAL
from fallline.study.entries import OptimizerEntry, ProblemEntry, anchored, refuse_each, seen_from, several
from fallline.study.specification import Count, blamed
from fallline.study.target import Target
from fallline.study.values import parse_rates
from fallline.suggestions import did_you_mean, unknown

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
BESIDE = ("store", "runner", "threads", "data_dir", "progress")
"""What is said beside a file: how its study is trained and where it is kept."""


class StudyFile(BaseModel):
    """The arguments of `compare` that say what is compared, under the same names.

    Paths in it are seen from the file's folder. TOML has no null: "none" is written instead.
    """

    model_config = ConfigDict(extra="forbid")

    problems: tuple[ProblemEntry, ...] = Field(min_length=1)
    optimizers: tuple[OptimizerEntry, ...] = Field(default=CLASSICAL, min_length=1, validate_default=True)
    lrs: tuple[Rate, ...] | None = Field(default=None, min_length=1)
    vary: dict[str, Any] = {}
    schedules: tuple[str, ...] = Field(default=("constant",), min_length=1)
    penalise: str = "weights"
    batch_sizes: tuple[Count, ...] | None = Field(default=None, min_length=1)
    epochs: Count | None = None
    steps: Count | None = None
    evaluate_every: Count | None = None
    losses_every: Count | None = None
    protocol: Literal["full", "sweep"] = "full"
    seeds: Count = 3
    final_seeds: Count = 10
    search: Search = "grid"
    trials: Annotated[int, Field(ge=2, strict=True)] | None = None
    tuning_repeats: Count = 1
    extra_trials: Annotated[int, Field(ge=0, strict=True)] = 0
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    validation: Annotated[float, Field(ge=0, lt=1)] | None = None
    order: Literal["reshuffle", "fixed"] = "reshuffle"
    target: str | None = None
    diagnostics: Literal["none", "layers", "all"] = "none"
    speed: Annotated[bool, Field(strict=True)] | None = None
    device: str = "cpu"

    @field_validator("problems", "optimizers", "schedules", "batch_sizes", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        return given if isinstance(given, list | tuple) else [given]

    @field_validator("lrs", mode="before")
    @classmethod
    def _rates(cls, given: Any) -> Any:
        return parse_rates(given, "text") if isinstance(given, str) else given if isinstance(given, list) else [given]

    @field_validator("schedules")
    @classmethod
    def _schedules(cls, given: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        seen = tuple(anchored(text, seen_from(info)[0]) for text in given)
        for text in seen:
            schedule(text)
        return seen

    @field_validator("penalise")
    @classmethod
    def _penalise(cls, given: str, info: ValidationInfo) -> str:
        return spelled_rule(anchored(given, seen_from(info)[0]))

    @field_validator("target")
    @classmethod
    def _target(cls, given: str | None) -> str | None:
        if given is not None:
            Target.parse(given)
        return given

    @field_validator("steps")
    @classmethod
    def _one_budget(cls, given: int | None, info: ValidationInfo) -> int | None:
        if given is not None and info.data.get("epochs") is not None:
            raise ValueError("give either epochs or steps")
        return given

    @field_validator("vary")
    @classmethod
    def _vary(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, tuple[Any, ...]]:
        values = {name: several(value) for name, value in given.items()}
        if not {"problems", "optimizers"} <= info.data.keys():
            # What these names may be is not known while problems or optimizers are wrong themselves.
            return values
        problems, optimizers = info.data["problems"], info.data["optimizers"]
        own = {name: default for entry in problems for name, default in entry.named.problem.factors.items()}
        values = {name: _with_none(items, own.get(name, "")) for name, items in values.items()}
        fields = {name for entry in optimizers for name in entry.contender(None, None).hyperparameters}
        refuse_each((name, given[name], _refused(problems, name, items, fields)) for name, items in values.items())
        return values

    def arguments(self) -> dict[str, Any]:
        """The arguments of `compare` that the file stands for; those that it leaves out are not there."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name not in ("problems", "vary")}
        problems = [entry.named for entry in self.problems]
        return {"problem": problems, "vary": self.vary, **{k: v for k, v in given.items() if v is not None}}


def read_study_file(path: Path, data_dir: Path | None = None) -> dict[str, Any]:
    """The arguments of `compare` in a study file. Raises InputError that says all that is wrong, and where."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The study file {path} cannot be read (from {Path.cwd()}): {error.strerror}.") from None
    except ValueError as error:
        raise InputError(f"{path} is no TOML: {error}.") from None
    try:
        return StudyFile.model_validate(given, context=(path.resolve().parent, data_dir)).arguments()
    except ValidationError as error:
        lines = [_line(problem) for problem in blamed(error)]
        raise InputError("\n  ".join([f"{path} is no study:", *dict.fromkeys(lines)])) from None


def _line(problem: Mapping[str, Any]) -> str:
    place = ".".join(map(str, problem["loc"]))
    name = str(problem["loc"][-1]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        hint = did_you_mean(name, StudyFile.model_fields if len(problem["loc"]) == 1 else ProblemEntry.model_fields)
        if name in BESIDE:
            hint = " It is no part of a study, and is given beside the file."
        return f"{place}: nobody knows this name.{hint}"
    if problem["type"] in ("value_error", "refused"):
        said = problem["msg"].removeprefix("Value error, ")
        return f"{place}: {said}" if place else said
    got = "" if problem["type"] == "missing" else f"; got {shown(problem['input'])}"
    return f"{place}: {problem['msg'][:1].lower()}{problem['msg'][1:]}{got}"


def _with_none(values: tuple[Any, ...], default: Any) -> tuple[Any, ...]:
    """Values of a problem's factor: text that says "none" is None where the factor's default is no text."""
    return tuple(None if value == "none" and not isinstance(default, str) else value for value in values)


def _refused(
    problems: tuple[ProblemEntry, ...], name: str, values: tuple[Any, ...], hyperparameters: set[str]
) -> str | None:
    given = [entry.named.problem for entry in problems]
    known = known_factors(given)
    if name in known:
        try:
            checked_factors(given, {name: values})
        except InputError as error:
            return str(error)
        return None
    if name in hyperparameters or name == "weight_decay":
        return None
    what = "factor of the problem or hyperparameter of an optimizer"
    return unknown(name, [*known, *sorted(hyperparameters)], what) + undeclared_hint(given, name)

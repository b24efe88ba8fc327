"""What is asked for: a study in plain data, the same from Python, the command line and the store."""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fallline.errors import WrongArgument, shown
from fallline.plain import canonical
from fallline.protocol import TRIALS, Search, Seeds

Count = Annotated[int, Field(ge=1, strict=True)]
Value = bool | float | int | str | tuple[float, ...] | None


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProblemSpecification(_Plain):
    """A problem: its name, how it can be loaded again (`source` is None for an object made in Python), its target and
    whether that was asked for in place of the problem's own, whether its model was given as an instance, whose
    weights every seed begins with, the batch size that it brings, and whether epochs have no ragged last batch.
    """

    name: str
    source: str | None
    options: Mapping[str, Value] = {}
    target: str | None = None
    target_asked: bool = False
    one_start: bool = False
    batch_size: Count | None = None
    drop_last: bool = False


class OptimizerSpecification(_Plain):
    """An optimizer: its label, how it can be found again, the class with its wrappers from the outermost, the class of
    the rule that gets the vectors where it is another, whether it is a rule of fallline, the classes that it becomes at
    some of its values, and its search space: the values tried of each hyperparameter, and of those that are searched in
    a range its ends (a grid has the values that they were cut into, other searches draw them).
    """

    label: str
    source: str | None
    kind: str
    wrappers: tuple[str, ...] = ()
    others: str | None = None
    is_rule: bool = True
    includes: tuple[str, ...] = ()
    hyperparameters: Mapping[str, tuple[Value, ...]]
    ranges: Mapping[str, tuple[float, float]] = {}


class Specification(_Plain):
    """A study: what is compared, how values are chosen, and the budget.

    A specification that was stored before there were protocols is that of a sweep over grids.
    """

    problems: tuple[ProblemSpecification, ...] = Field(min_length=1)
    optimizers: tuple[OptimizerSpecification, ...] = Field(min_length=1)
    factors: Mapping[str, tuple[Value, ...]] = {}
    schedules: tuple[str, ...] = Field(default=("constant",), min_length=1)
    penalise: str = "weights"
    batch_sizes: tuple[Count | None, ...] = Field(default=(64,), min_length=1)
    epochs: Count | None = None
    steps: Count | None = None
    evaluate_every: Count | None = None
    losses_every: Count | None = None
    protocol: Literal["full", "sweep"] = "sweep"
    seeds: Count = 3
    final_seeds: Count = 10
    search: Search = "grid"
    trials: Count = TRIALS
    tuning_repeats: Count = 1
    extra_trials: Annotated[int, Field(ge=0, strict=True)] = 0
    seed: Annotated[int, Field(ge=0, strict=True)] = 0
    validation: Annotated[float, Field(ge=0, lt=1)] | None = None
    order: Literal["reshuffle", "fixed"] = "reshuffle"
    diagnostics: Literal["none", "layers", "all"] = "none"
    speed: bool | None = None
    device: str = "cpu"

    @property
    def digest(self) -> str:
        """The digest of all of it: equal studies have equal ones."""
        return blake2b(self.model_dump_json().encode(), digest_size=16).hexdigest()

    @property
    def search_digest(self) -> str:
        """The digest of how values were searched, and of every optimizer's search space."""
        spaces = {o.label: [o.hyperparameters, o.ranges] for o in self.optimizers}
        how = [self.search, self.trials, self.tuning_repeats, self.extra_trials, self.seeds, self.seed]
        return blake2b(canonical([how, spaces]).encode(), digest_size=8).hexdigest()

    @property
    def runs(self) -> Seeds:
        """Which seeds belong to the search, and which to the reruns."""
        return Seeds(self.seeds, self.final_seeds if self.protocol == "full" else 0, self.tuning_repeats)

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps")
        return self

    @model_validator(mode="after")
    def _nothing_for_nothing(self) -> Self:
        for name, without in {"tuning_repeats": 1, "extra_trials": 0}.items():
            if self.protocol == "sweep" and getattr(self, name) != without:
                raise ValueError(f"{name} goes with the full protocol; a sweep has one search and no reruns")
        return self


def specification(**fields: Any) -> Specification:
    """A checked specification; all that is wrong with it is said in one InputError."""
    try:
        return Specification(**fields)
    except ValidationError as error:
        raise WrongArgument(*dict.fromkeys(map(_line, blamed(error)))) from None


def blamed(error: ValidationError) -> list[Any]:
    """What is wrong, each once: a list is also blamed for what is wrong with its items, and is left out then."""
    problems = error.errors()
    places = [problem["loc"] for problem in problems]
    return [
        problem
        for problem in problems
        if not any(place != problem["loc"] and place[: len(problem["loc"])] == problem["loc"] for place in places)
    ]


def _line(problem: Any) -> tuple[str, str]:
    """The argument at fault, and what is wrong with it; a list's items are blamed by its name."""
    name = str(problem["loc"][0]) if problem["loc"] else ""
    message = problem["msg"].removeprefix("Value error, ").lower()
    got = "" if isinstance(problem["input"], dict | BaseModel) else f"; got {shown(problem['input'])}"
    return name, f": {message}{got}" if name else message + got

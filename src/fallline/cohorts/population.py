"""A cohort in training as one program: all members' tensors stacked, stepped and measured together."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from fallline.cohorts.captured import Captured, Shapes
from fallline.cohorts.compaction import Chosen
from fallline.cohorts.draws import Draws
from fallline.cohorts.layout import Layout
from fallline.cohorts.measuring import Measuring
from fallline.cohorts.one import One, State
from fallline.cohorts.outside import differing
from fallline.cohorts.program import Program
from fallline.cohorts.rates import Rates
from fallline.cohorts.reasons import CannotMap
from fallline.cohorts.settings import Settings
from fallline.cohorts.slices import kinds_of_parameters
from fallline.cohorts.stacking import saved_names, stacked, tensors_of, values_of
from fallline.cohorts.streams import Batch
from fallline.executors.kernels import Backend
from fallline.problems.prepared import Prepared, initial_model
from fallline.training import divergence
from fallline.training.batches import Place
from fallline.training.member import Member
from fallline.training.origin import origin
from fallline.training.outcome import Ending, Outcome
from fallline.training.stopping import QUANTITY, EarlyStopping


class Population:
    """Members that share their problem's factors, batch size and order: every setting with every seed."""

    def __init__(
        self,
        members: Sequence[Member],
        problem: Prepared,
        seed: int,
        total: int,
        losses_every: int | None,
        backend: Backend,
    ) -> None:
        self.problem = problem
        self.total = total
        self.losses_every = losses_every
        first = members[0]
        settings = Settings(members)
        with torch.enable_grad():
            models = [initial_model(problem, seed, index, first.factors) for index in settings.seeds]
        self.model = models[0]
        if name := differing(models):
            raise CannotMap(f"its {name} differs from seed to seed, and is neither parameter nor buffer")
        objective = problem.objective.under(first.factors)
        slices = settings.slices(self.model, objective, next(problem.train_part.in_order()))
        settings = settings.in_order_of(slices)
        seeds = len(settings.seeds)
        per_epoch = problem.train.steps(first.batch_size or 0)
        origins = [
            origin(member, model, problem, seed) for member, model in zip(settings.members[0], models, strict=True)
        ]
        self.ones = [
            One(member, setting, place, _stopping(member, per_epoch), origins[place])
            for setting, row in enumerate(settings.members)
            for place, member in enumerate(row)
        ]
        kinds = kinds_of_parameters(slices)
        self.layout = Layout({name: x for name, x in tensors_of(self.model).items() if name in kinds}, kinds)
        self.program = Program(self.model, objective, self.layout, slices, seeds)
        self._constants = values_of(slices, seeds, problem.device)
        self.tensors = stacked(models, len(settings.members), self.program, self._constants)
        self._draws = Draws(seed, settings.seeds, problem.device)
        self._backend = backend
        self._captured = Captured(self.program, self._draws, backend)
        self._measuring = Measuring(self.model, problem.objective, seeds)
        self.shape = len(settings.members), seeds
        self._rates = Rates(self.ones, self.shape, total)
        self._buffers = {name: name for name, _ in self.model.named_buffers()}
        self._saved = saved_names(self.model)
        self.settings = list(range(len(settings.members)))
        """The settings that have not left, by their places at the beginning."""
        self.evaluations = [0] * len(settings.members)
        """How many gradients of batches each setting's members have evaluated, as far as `count` was called."""
        self.compactions: list[tuple[int, int]] = []
        """The steps behind which settings left, and how many members stayed."""
        self.first_row = settings.members[0]
        """One member per seed."""
        self.done = 0
        self.samples = 0
        self.place = Place()
        self.losses: list[Tensor] = []
        """The losses of the batches since the last evaluation, (settings, seeds) each."""

    @property
    def active(self) -> list[One]:
        """The members that have not ended."""
        return [one for one in self.ones if one.outcome is None]

    @property
    def left(self) -> list[int]:
        """The places of the settings of which a member has not ended."""
        return sorted({one.setting for one in self.active})

    def keep(self, places: Sequence[int]) -> None:
        """Go on with the settings at some places alone; all members of the others have ended."""
        self.count()
        self.evaluations = [self.evaluations[place] for place in places]
        chosen = Chosen.of(self.program, places)
        self.program, self.tensors = chosen.program(self.program), chosen.tensors(self.tensors)
        self._constants = chosen.by_slice(self._constants)
        self._captured = Captured(self.program, self._draws, self._backend, self.whole_batch)
        self.settings = [self.settings[place] for place in places]
        self.shape = len(places), self.shape[1]
        present = {place: new for new, place in enumerate(places)}
        for one in self.ones:
            one.setting = present.get(one.setting, -1)
        self._rates = Rates([one for one in self.ones if one.setting >= 0], self.shape, self.total)

    @property
    def whole_batch(self) -> Shapes | None:
        """The shapes of the batches whose steps the backend prepares, once a batch has been seen."""
        return self._captured.whole

    @whole_batch.setter
    def whole_batch(self, shapes: Shapes | None) -> None:
        self._captured.whole = shapes

    def bytes(self) -> int:
        """What its tensors and the largest of its captured steps hold."""
        own = sum(x.nbytes for x in tree_leaves(self.tensors.tree()) if isinstance(x, Tensor))
        return own + self._captured.most_bytes

    def until(self, step: int) -> None:
        """Say at which step the next evaluation comes."""
        self._rates.look(self.done, step)

    def step(self, batch: Batch, place: Place) -> None:
        """One update of all members, on a batch which ends at a place in the data; nothing waits for the device. Call
        it under `torch.no_grad()`.
        """
        multipliers = self._rates.at(self.done)
        if multipliers is not None:
            self._scale(multipliers)
        self.place = place
        self.done += 1
        self.samples += batch.leaves[0].shape[1]
        self.tensors.t.fill_(self.done)
        self.losses.append(self._captured.step(self.tensors, batch, self.done))

    def _scale(self, multipliers: Tensor) -> None:
        for place, groups, constants in zip(self.program.places, self.tensors.values, self._constants, strict=True):
            for values, constant in zip(groups, constants, strict=True):
                if "lr" in constant:
                    torch.mul(constant["lr"], multipliers[place].to(constant["lr"].device), out=values["lr"])

    def count(self) -> None:
        """Count the gradients that were evaluated in the steps since the last time."""
        for place, count in zip(self.program.places, self._captured.counted(), strict=True):
            for setting in range(place.start, place.stop):
                self.evaluations[setting] += count

    @torch.no_grad()
    def evaluate(self, judged: bool = False) -> None:
        """Record losses and metrics of every split for the members that have not ended, and end those that have
        diverged or waited too long.
        """
        self.count()
        batch_losses = torch.stack(self.losses).double().cpu() if self.losses else None
        weights = self.tensors.weights if self.done == 0 else self.program.evaluation_weights(self.tensors)
        tensors = self._with(weights)
        measured = {
            f"{split}_{name}": value
            for split, data in self.problem.evaluated.items()
            for name, value in self._measuring(tensors, data).items()
        }
        columns = {name: value.tolist() for name, value in measured.items()}
        columns["batch_loss"] = _means(batch_losses, self.shape)
        sound = self._sound(batch_losses)
        for one in self.active:
            i, j = one.setting, one.seed
            counts = {"step": self.done, "samples": self.samples, "evaluations": self.evaluations[i]}
            row = counts | {"batch_loss": columns["batch_loss"][i][j]}
            one.curve.append(row | {name: column[i][j] for name, column in columns.items()})
            own = None if batch_losses is None else batch_losses[:, i, j]
            self._keep(one, own)
            outcome = self._ended(one, own, sound[i][j], judged, tensors)
            if outcome is not None:
                self._end(one, outcome, self.tensors.weights if outcome.diverged else weights)
        self.losses = []

    def _with(self, weights: Sequence[Tensor]) -> dict[str, Tensor]:
        """The parameters and buffers of all members by name."""
        return {**self.layout.views(weights), **self.tensors.still}

    def _sound(self, batch_losses: Tensor | None) -> list[list[bool]]:
        """For every member whether all its batch losses and weights are finite."""
        sound = torch.stack([torch.isfinite(x).all(dim=-1) for x in self.tensors.weights]).all(dim=0).cpu()
        if batch_losses is not None:
            sound &= torch.isfinite(batch_losses).all(dim=0)
        told: list[list[bool]] = sound.tolist()
        return told

    def _keep(self, one: One, losses: Tensor | None) -> None:
        if losses is None or self.losses_every is None:
            return
        first = self.done - len(losses) + 1
        skipped = -first % self.losses_every
        steps = range(first + skipped, self.done + 1, self.losses_every)
        one.curve.losses.update(zip(steps, losses[skipped :: self.losses_every].tolist(), strict=True))

    def _ended(
        self, one: One, losses: Tensor | None, sound: bool, judged: bool, tensors: dict[str, Tensor]
    ) -> Outcome | None:
        last = one.curve.last()
        outcome = None if sound else self._broken(one, losses)
        outcome = outcome or divergence.of_training_loss(
            last["train_loss"], one.curve["train_loss"][0], self.done, judged
        )
        if one.stopping is None or outcome is not None:
            return outcome
        cause = one.stopping.watch(self.done, last[QUANTITY], self._state(one, tensors))
        return None if cause is None else Outcome(Ending.STOPPED, self.done, cause)

    def _broken(self, one: One, losses: Tensor | None) -> Outcome:
        if losses is not None and (outcome := divergence.of_batch_losses(losses, self.done)):
            return outcome
        trained = {name: x[one.setting, one.seed] for name, x in self.layout.views(self.tensors.weights).items()}
        broken = next(name for name, x in trained.items() if not bool(torch.isfinite(x).all()))
        return divergence.of_parameter(broken, self.done)

    @torch.no_grad()
    def finish(self) -> None:
        """Note that the budget is used up; the weights of the members that had not ended are those at their evaluation
        point.
        """
        weights = self.program.evaluation_weights(self.tensors) if self.done else self.tensors.weights
        for one in self.active:
            self._end(one, Outcome(Ending.FINISHED, self.done), weights)

    def _end(self, one: One, outcome: Outcome, weights: Sequence[Tensor]) -> None:
        """Note how a member has ended. With early stopping its weights are those of its best evaluation."""
        if one.stopping is None or outcome.diverged:
            one.outcome, one.weights = outcome, self._weights(one, weights)
        else:
            one.outcome = replace(outcome, restored=one.stopping.step)
            one.weights = {name: one.stopping.best[name].cpu().contiguous() for name in self._saved}
        if one.stopping is not None:
            one.stopping.best = {}

    def _state(self, one: One, tensors: dict[str, Tensor]) -> State:
        own = {name: x[one.setting, one.seed] for name, x in tensors.items()}
        return State(own, self._buffers, self._saved)

    def _weights(self, one: One, weights: Sequence[Tensor]) -> dict[str, Tensor]:
        state = self._state(one, self._with(weights)).state_dict()
        return {name: x.detach().cpu().contiguous().clone() for name, x in state.items()}

    def take(self, seconds: float) -> None:
        """Share out the seconds that steps took; what preparing them took is nobody's."""
        seconds -= self._captured.preparing
        self._captured.preparing = 0.0
        active = self.active
        for one in active:
            one.seconds += seconds / len(active)


def _means(losses: Tensor | None, shape: tuple[int, int]) -> list[list[float]]:
    means = torch.full(shape, math.nan) if losses is None else losses.mean(dim=0)
    told: list[list[float]] = means.tolist()
    return told


def _stopping(member: Member, per_epoch: int) -> EarlyStopping | None:
    patience = member.factors.get("patience")
    return None if patience is None else EarlyStopping(patience * per_epoch)

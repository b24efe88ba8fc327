"""Members of one program trained together, eagerly: forward and backward through `torch.vmap`, updates through the
population executor. Written apart from the loop, which it is held against.
"""

import torch
from torch.func import functional_call, stack_module_state
from torch.func import grad as gradient

from fallline.executors import Surroundings, initial_states, population
from fallline.optim import weights_only
from fallline.problems import initial_model
from fallline.problems.sources import permutation
from fallline.randomness import forked, key, torch_stream
from fallline.training.dropout import KeyedDropout
from fallline.training.treatments import penalties, treated

SEED = 0


def train_together(members, problem, steps):
    """The final parameters and buffers of members that differ in floats alone, stacked, by name."""
    first = members[0]
    models = [initial_model(problem, SEED, m.seed, m.factors).train() for m in members]
    parameters, buffers = stack_module_state(models)
    parameters = {name: p.detach() for name, p in parameters.items()}
    rules = [treated(m.algorithm.replace(m.hyperparameters), m.factors) for m in members]
    assert len({rule.program() for rule in rules}) == 1
    groups = weights_only(models[0], penalties(first.factors), first.penalised)
    off = {n: {k for k in group if k != "params"} for group in groups for n, _ in group["params"]}
    values = [
        {
            key: torch.tensor([0.0 if key in off[name] else rule.floats()[key] for rule in rules])
            for key in rules[0].floats()
        }
        for name in parameters
    ]
    state = initial_states(rules[0], values[0], list(parameters.values()))
    objective = problem.objective.under(first.factors)
    names = list(parameters)
    for step in range(1, steps + 1):
        batch = problem.train.select(rows_of(problem, first, step))

        def loss(own, buffers, batch=batch, step=step):
            with KeyedDropout(lambda shape, call, device: uniform(shape, call, first.seed, step)):
                return objective.loss(lambda *x: functional_call(models[0], (own, buffers), x), batch)

        with forked():
            g = torch.vmap(gradient(loss), randomness="same")(parameters, buffers)
        around = Surroundings(
            step, lambda p, position, call, step=step: noise(p, names[position], call, first.seed, step)
        )
        update = population(rules[0], values, list(parameters.values()), list(g.values()), state, step, around)
        parameters = {n: p - d for (n, p), d in zip(parameters.items(), update.decrement, strict=True)}
        state = update.state
    return {**parameters, **buffers}


def rows_of(problem, member, step):
    per_epoch = problem.train.steps(member.batch_size)
    epoch, place = divmod(step - 1, per_epoch)
    return permutation(problem.train.rows, SEED, "order", member.seed, epoch).split(member.batch_size)[place]


def uniform(shape, call, index, step):
    return torch.rand(shape, generator=torch_stream(SEED, f"dropout/{call}", index, step))


def noise(p, name, call, index, step):
    stream = torch_stream(key(SEED, "noise", index) % 2**63, f"noise/{name}/{call}", step=step)
    return torch.randn(p.shape, generator=stream, dtype=p.dtype)

"""Records and rows with results written by hand."""

from fallline.statistics import median_interval
from fallline.study.ranking import Row
from fallline.study.record import Record
from fallline.training import Curve, Ending, Outcome


def record(lr=0.1, seed=0, loss=0.5, optimizer="sgd", problem="line", batch_size=64, factors=None, **others):
    return Record(
        {
            "problem": problem,
            "optimizer": optimizer,
            "hyperparameters": {"lr": lr, **others},
            "factors": factors or {},
            "schedule": "constant",
            "batch_size": batch_size,
            "order": "reshuffle",
            "seed": seed,
            "phase": "search",
        },
        Outcome(Ending.FINISHED if loss < float("inf") else Ending.DIVERGED, 10),
        Curve({"step": [0, 10], "train_loss": [1.0, loss], "validation_loss": [1.0, loss]}),
        1.0,
    )


def row(problem, optimizer, loss, quantity="test_loss", factors=None, schedule="constant", batch_size=64):
    return Row(
        problem=problem,
        optimizer=optimizer,
        factors=factors or {},
        schedule=schedule,
        batch_size=batch_size,
        hyperparameters={},
        tuned={},
        selected_on="validation_loss",
        trials=1,
        members=1,
        diverged=0,
        selection=(),
        winners=(),
        repeats=(),
        rerun=False,
        intervals={quantity: median_interval([loss])},
        edges=(),
    )

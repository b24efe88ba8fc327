"""Where the tutorials and torch differ: each row of a table, and the check that proves it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from fallline.gallery import inspected
from fallline.gallery.entry import Check, Entry, Setting, Shown, holds
from fallline.gallery.inspected import Inspection, Studies
from fallline.gallery.pictures import draw_series, figure, save


@dataclass(frozen=True)
class Difference:
    """One row: what the tutorials say, what torch does, what follows, and the look that tells whether it is so."""

    subject: str
    tutorials: str
    torch: str
    follows: str
    look: Callable[[Studies], Inspection]

    def check(self, studies: Studies) -> Check:
        """The row's check."""
        measured, so = self.look(studies)
        return holds(self.subject, self.torch, measured, so)


def table() -> str:
    """The table in Markdown, as `docs/tutorials-and-torch.md` holds it."""
    lines = ["| | the tutorials | torch | what follows |", "|---|---|---|---|"]
    lines += [f"| {row.subject} | {row.tutorials} | {row.torch} | {row.follows} |" for row in DIFFERENCES]
    return "\n".join(lines)


DIFFERENCES = (
    Difference(
        "Adagrad's default rate",
        "`lr=0.001`",
        "`lr=0.01`",
        "Name the rate: at the defaults the same code takes steps ten times as long.",
        lambda _: inspected.default("Adagrad", "lr", 0.01),
    ),
    Difference(
        "RMSprop's default rate",
        "`lr=0.001`",
        "`lr=0.01`",
        "Name the rate: the published runs are at 0.001.",
        lambda _: inspected.default("RMSprop", "lr", 0.01),
    ),
    Difference(
        "Adam's default betas",
        "`(0.9, 0.99)`",
        "`(0.9, 0.999)`",
        "torch's averages the squared gradients of about 1000 steps, not of 100.",
        lambda _: inspected.default("Adam", "betas", (0.9, 0.999)),
    ),
    Difference(
        "The name RMSprop",
        "`torch.optim.RMSProp`",
        "`torch.optim.RMSprop`",
        "AttributeError in torch; the command line of fallline takes either case.",
        inspected.rmsprop_name,
    ),
    Difference(
        "The name dampening",
        "`dempening`",
        "`dampening`",
        "TypeError from torch and from fallline, which lists the names that exist.",
        inspected.dampening_name,
    ),
    Difference(
        "The name dropout",
        "`drop_out`",
        "`torch.nn.Dropout` and `torch.nn.functional.dropout`; the second drops after `eval()` too unless "
        "`training=False` is passed",
        "Use the module, which follows `model.eval()`.",
        inspected.dropout_name,
    ),
    Difference(
        "sampler and shuffle of a DataLoader",
        "with a `sampler`, `shuffle` is ignored",
        "`ValueError`: the two exclude each other",
        "Leave `shuffle` out where you give a `sampler`.",
        inspected.sampler_and_shuffle,
    ),
    Difference(
        "The squared error",
        "halved in the versions from scratch, whole in others",
        "`MSELoss` is not halved",
        "The gradient is twice as large: halve `lr` of gradient descent to get the same path.",
        inspected.halved,
    ),
    Difference(
        "Where Adagrad's eps stands",
        "inside the root: `g / sqrt(s + 1e-6)`",
        "outside: `g / (sqrt(s) + 1e-10)`",
        "They differ where slopes are as small as sqrt(eps); the tutorials' is `Adagrad(eps=1e-6, "
        "eps_inside_root=True)`.",
        inspected.eps,
    ),
    Difference(
        "The test set",
        "one published run of momentum trains on the 10,000 test images",
        "trains on what it is given; what it was trained on is no test",
        "fallline trains on `train` alone, selects on `validation` and reports `test`.",
        inspected.test_rows,
    ),
    Difference(
        "A learning rate of 1",
        "the loss bounces",
        "on images in [-1, 1] the loss leaps above 10, hidden units die, and it stays at ln 10, which is guessing",
        "Look for bouncing at 0.3; at 1 nothing is left to bounce.",
        inspected.rate_one,
    ),
)
"""The rows of the table; `docs/tutorials-and-torch.md` holds the same."""


def tutorials_and_torch(setting: Setting) -> Shown:
    """All rows."""
    from fallline.report.colors import PALETTE

    studies = Studies(setting)
    checks = tuple(row.check(studies) for row in DIFFERENCES)
    drawn, (rates, splits) = figure("Two rows of the table: a learning rate of 1, and training on the test set")
    draw_series(
        rates,
        {
            f"lr {lr:g}, seed {r['seed']}": r.curve["train_loss"]
            for lr, results in studies.rates.items()
            for r in results.records[:2]
        },
        "training loss on enlarged digits in [-1, 1]",
        {"ln 10, guessing": math.log(10)},
        x=studies.rates[1.0].records[0].curve["step"],
    )
    for (name, results), color in zip(studies.splits.items(), PALETTE, strict=False):
        curve = results.records[0].curve
        splits.plot(curve["step"], curve["test_loss"], ".-", color=color, label=f"trained on the {name} rows")
    splits.set(xlabel="step", ylabel="loss on the test rows of digits", yscale="log")
    splits.legend(loc="best")
    return Shown(checks, save(drawn, setting.picture("tutorials-and-torch")))


ENTRIES = (
    Entry(
        "tutorials-and-torch",
        "Where the tutorials and torch differ",
        "Defaults, names and habits of the tutorials that are not torch's, each inspected in the torch that is "
        "installed: whoever copies a rate without its default, or a name with its slip of the pen, gets another run "
        "or none.",
        tutorials_and_torch,
    ),
)

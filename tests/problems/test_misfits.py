"""What is advised works, and where it would not work nothing is advised."""

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from fallline.problems.misfits import input_hint, target_hint

ROWS = torch.arange(4)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ((ROWS[:, None] > 1,), "The inputs are bool, the model's parameters float32."),
        ((ROWS[:, None],), "The inputs are int64, the model's"),
        ((ROWS[:, None].double(),), "The inputs are float64, the model's"),
    ],
)
def test_inputs_of_another_type_than_the_parameters(inputs, told):
    hint = input_hint(nn.Linear(1, 1), inputs)
    assert hint.startswith(told)
    assert hint.endswith("Convert the inputs: torch.as_tensor(inputs, dtype=torch.float32).")


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (nn.Embedding(3, 1), (ROWS,)),
        (nn.Linear(2, 1), (ROWS[:, None],)),
        (nn.Linear(2, 1), (ROWS[:, None].float(),)),
        (nn.Flatten(), (ROWS,)),
    ],
)
def test_of_tokens_and_of_other_shapes_no_other_type_is_advised(model, inputs):
    assert input_hint(model, inputs) is None


COLUMN, CLASSES = torch.zeros(4, 1), torch.zeros(4, 3)


@pytest.mark.parametrize(
    ("loss", "output", "target", "told"),
    [
        (mse_loss, COLUMN, ROWS.float(), "Write target[:, None]: the loss works with targets float32[4, 1]."),
        (mse_loss, COLUMN[:, 0], COLUMN, "Write target[:, 0]: the loss works with targets float32[4]."),
        (mse_loss, CLASSES, CLASSES[..., None], "Write target[..., 0]: the loss works with targets float32[4, 3]."),
        (
            binary_cross_entropy_with_logits,
            COLUMN,
            ROWS % 2,
            "Write target[:, None] and torch.as_tensor(target, dtype=torch.float32): the loss works with targets "
            "float32[4, 1].",
        ),
        (
            cross_entropy,
            CLASSES,
            ROWS % 3 * 1.0,
            "Write torch.as_tensor(target, dtype=torch.int64): the loss works with targets int64[4].",
        ),
        (
            nn.CrossEntropyLoss(),
            CLASSES,
            ROWS[:, None] % 3,
            "Write target[:, 0]: the loss works with targets int64[4].",
        ),
    ],
)
def test_targets_of_another_shape_or_type(loss, output, target, told):
    assert target_hint(loss, output, target) == told


@pytest.mark.parametrize(
    ("loss", "output", "target"),
    [
        (mse_loss, COLUMN, torch.zeros(3)),
        (mse_loss, COLUMN, COLUMN),
        (mse_loss, (COLUMN, COLUMN), COLUMN),
        (cross_entropy, CLASSES, ROWS % 3 + 0.5),
        (cross_entropy, CLASSES, ROWS * 1.0),
        (lambda output, target: output.nothing, COLUMN, ROWS.float()),
    ],
)
def test_where_no_other_target_would_do_none_is_advised(loss, output, target):
    assert target_hint(loss, output, target) is None

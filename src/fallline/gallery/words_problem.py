"""Made-up documents: which of 500 words occur, and a label that each word says equally much about."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from fallline.problems import Problem
from fallline.randomness import torch_stream

WORDS = 500
ROWS, TEST_ROWS = 8000, 4000
DEVIATION = 3.0
"""Of the log-odds of the label."""


class LogOdds(nn.Linear):
    """torch's linear layer from the words to the log-odds of the label, (rows, 500) to (rows, 1)."""

    def __init__(self) -> None:
        super().__init__(WORDS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """As a product with a vector, which is one product of matrices for all members of a population."""
        return (x @ self.weight[0] + self.bias)[:, None]


def words(spread: Literal["zipf", "equal"]) -> Problem:
    """Logistic regression on documents with 6.4 of 500 words on average, each there or not, independently.

    With "zipf" the word of rank r is in half of r^-0.8 of all documents: the first in every second one, the last in
    one of 288. With "equal" each is in one of 78, so that documents have as many words. The log-odds of the label are
    linear in the words, their weights normal, divided by the deviation of the word: a rare word says much where it is,
    and all words explain equally much of the label.
    """
    generator = torch_stream(0, "words")
    zipf = 0.5 * torch.arange(1, WORDS + 1, dtype=torch.float64) ** -0.8
    present = zipf if spread == "zipf" else torch.full_like(zipf, float(zipf.mean()))
    weights = torch.randn(WORDS, generator=generator, dtype=torch.float64) * DEVIATION / WORDS**0.5
    weights /= (present * (1 - present)).sqrt()

    def documents(rows: int) -> tuple[Tensor, Tensor]:
        drawn = (torch.rand(rows, WORDS, generator=generator, dtype=torch.float64) < present).double()
        odds = (drawn - present) @ weights
        labels = torch.rand(rows, generator=generator, dtype=torch.float64) < odds.sigmoid()
        return drawn.float(), labels.float()[:, None]

    return Problem(
        model=LogOdds,
        loss=binary_cross_entropy_with_logits,
        train=documents(ROWS),
        test=documents(TEST_ROWS),
        name="words" if spread == "zipf" else "words-equal",
    )

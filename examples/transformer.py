"""A transformer on sentences of unequal length: dict batches, a padding mask, and `loss(model, batch)`.

Which verb follows "the old keys near the small cabinet": "is" or "are"? The first noun decides. Who only counts
singular and plural nouns is right three times in four. The sentences are made here, by a seeded generator.

    python examples/transformer.py
    fallline compare examples/transformer.py:agreement -o momentum -o adam --lr 0.003:0.3:3 --epochs 5
    fallline compare examples/transformer.py:agreement -o adam:lr=0.01 --vary layers=1,2 --vary dropout=0,0.1 --epochs 5
"""

import numpy as np
import torch
from torch import Tensor, nn

import fallline as fl

ADJECTIVES, PLACES, NOUNS = ["old", "small", "red"], ["near", "behind", "under"], ["key", "cabinet", "garden", "river"]
WORDS = ["(padding)", "the", *ADJECTIVES, *PLACES, *NOUNS, *(f"{noun}s" for noun in NOUNS)]
LONGEST = 14


def sentences(rows: int, seed: int) -> dict[str, Tensor]:
    """Tokens (rows, LONGEST), padded with 0; mask (rows, LONGEST), True where padded; labels (rows,), 1 for "are"."""
    random = np.random.default_rng(seed)
    tokens, labels = torch.zeros(rows, LONGEST, dtype=torch.int64), torch.zeros(rows, dtype=torch.int64)
    for row in range(rows):
        words: list[str] = []
        plurals = random.integers(0, 2, size=random.integers(2, 4)).tolist()
        for plural in plurals:
            words += [random.choice(PLACES)] if words else []
            words += ["the", *random.choice(ADJECTIVES, random.integers(0, 3)), random.choice(NOUNS) + "s" * plural]
        tokens[row, : len(words)] = torch.tensor([WORDS.index(word) for word in words])
        labels[row] = plurals[0]
    return {"tokens": tokens, "mask": tokens == 0, "labels": labels}


class Encoder(nn.Module):
    """Embeddings of tokens and places, self-attention, the mean over what is not padding, one linear layer."""

    def __init__(self, width: int = 16, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(len(WORDS), width), nn.Parameter(torch.randn(LONGEST, width))
        layer = nn.TransformerEncoderLayer(width, 2, dim_feedforward=2 * width, dropout=dropout, batch_first=True)
        # torch's shortcut through nested tensors would cut the output to the longest sentence of the batch.
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 2)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (rows, 2) of "is" and "are"."""
        encoded = self.encoder(self.token(batch["tokens"]) + self.place, src_key_padding_mask=batch["mask"])
        present = ~batch["mask"][:, :, None]
        return self.head((encoded * present).sum(dim=1) / present.sum(dim=1))


agreement = fl.Problem(
    model=Encoder,
    loss=lambda model, batch: nn.functional.cross_entropy(model(batch), batch["labels"]),
    metrics={"accuracy": lambda model, batch: fl.problems.accuracy(model(batch), batch["labels"])},
    train=sentences(1500, seed=1),
    test=sentences(500, seed=2),
    factors={"width": 16, "layers": 1, "dropout": 0.0},
    name="agreement",
)

if __name__ == "__main__":
    results = fl.compare(agreement, ["momentum", "adam", torch.optim.NAdam], lrs=fl.log(0.003, 0.3, 3), epochs=5)
    results.table()
    print("Report:", results.report())

"""A convolutional network on images, whose channels, dropout and batch normalisation are factors that a study can vary.

The images are the built-in digits. Of every factor the default is declared; `--vary` compares other values.

    python examples/cnn.py
    fallline compare examples/cnn.py:images -o momentum -o adam --lr 0.01:0.1:3 --epochs 5
    fallline compare examples/cnn.py:images -o adam:lr=0.03 --vary dropout=0,0.3 --vary batch_norm=false,true
"""

from torch import Tensor, nn

import fallline as fl

digits = fl.problems.load("digits")


def as_images(data: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The rows of 64 pixels as images: (rows, 1, 8, 8), and their labels."""
    pixels, labels = data
    return pixels.reshape(-1, 1, 8, 8), labels


def network(channels: int = 8, dropout: float = 0.0, batch_norm: bool = False) -> nn.Module:
    """Two convolutions, each followed by pooling: 8x8 pixels become 2x2; the second has twice the channels."""
    layers: list[nn.Module] = []
    for inputs, outputs in [(1, channels), (channels, 2 * channels)]:
        layers += [nn.Conv2d(inputs, outputs, kernel_size=3, padding=1)]
        layers += [nn.BatchNorm2d(outputs)] if batch_norm else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(2 * channels * 2 * 2, 10))


images = fl.Problem(
    model=network,
    loss=nn.functional.cross_entropy,
    train=as_images(digits.train),
    test=as_images(digits.test),
    metrics={"accuracy": fl.problems.accuracy},
    factors={"channels": 8, "dropout": 0.0, "batch_norm": False},
    name="images",
)

if __name__ == "__main__":
    results = fl.compare(
        images, [fl.rules.Momentum, fl.rules.Adam], lrs=fl.log(0.01, 0.1, 3), vary={"dropout": [0.0, 0.3]}, epochs=5
    )
    results.table()
    print("Report:", results.report())

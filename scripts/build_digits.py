"""Rebuild the package's handwritten digits from scikit-learn's copy and check them: `pip install scikit-learn` first.

python scripts/build_digits.py           # write the file anew
python scripts/build_digits.py --check   # only compare
"""

import argparse
import io
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[1] / "src/fallline/problems/digits_data/digits.npz"


def build() -> bytes:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = digits.data.astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    assert images.shape == (1797, 64)
    assert images.max() == 16
    assert np.array_equal(images, digits.data)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    file = io.BytesIO()
    np.savez_compressed(file, images=images, labels=labels)
    return file.getvalue()


def content(data: bytes) -> str:
    arrays = np.load(io.BytesIO(data), allow_pickle=False)
    return sha256(arrays["images"].tobytes() + arrays["labels"].tobytes()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare the package's file with a new build")
    new = build()
    if parser.parse_args().check:
        same = content(TARGET.read_bytes()) == content(new)
        print(f"{TARGET.name}: {'as built' if same else 'DIFFERS'}, sha256 of content {content(new)}")
        return 0 if same else 1
    TARGET.write_bytes(new)
    print(f"wrote {TARGET.name}: {len(new)} bytes, sha256 of content {content(new)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

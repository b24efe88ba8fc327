"""SOAP's first basis where the Gram matrix has fewer dimensions than the parameter."""

import pytest
import torch

from fallline.rules.soap import _eigenbasis


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-6), (torch.float32, 0.1)], ids=["float64", "float32"])
def test_rounding_does_not_choose_the_vectors_that_complete_a_basis(dtype: torch.dtype, close: float) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(500):
        flat = torch.randn(5, 3, generator=generator, dtype=dtype)
        gram = flat @ flat.mT
        # The same matrix but for its last bits, and one of several, as a population decomposes it.
        for other in (gram / 3 * 3, torch.stack([torch.eye(5, dtype=dtype), gram])):
            basis = torch.vmap(_eigenbasis)(other)[1] if other.dim() == 3 else _eigenbasis(other)
            assert (abs(basis) - abs(_eigenbasis(gram))).abs().max() < close

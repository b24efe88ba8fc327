import math

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from fallline.errors import InputError, MachineError
from fallline.training.checkpoint import read_checkpoint, write_checkpoint
from fallline.training.tree import flatten, restore


def bits(tree):
    """A tree as text in which equal means equal types, dtypes, strides and bits."""
    if isinstance(tree, dict):
        # torch's optimizers order a group's entries anew when they load them.
        return "{" + ", ".join(sorted(f"{bits(name)}: {bits(value)}" for name, value in tree.items())) + "}"
    if isinstance(tree, list | tuple):
        return f"{type(tree).__name__}({', '.join(map(bits, tree))})"
    if isinstance(tree, torch.Tensor):
        content = (torch.view_as_real(tree.resolve_conj()) if tree.is_complex() else tree).contiguous().reshape(-1)
        return f"{tree.dtype}{tuple(tree.shape)}{tree.stride()}{content.view(torch.uint8).tolist()}"
    return f"float {tree.hex()}" if isinstance(tree, float) else f"{type(tree).__name__} {tree!r}"


def again(tmp_path, tree):
    write_checkpoint(tmp_path / "c", tree)
    return read_checkpoint(tmp_path / "c")


DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int8, torch.int64, torch.bool)


def test_whatever_an_optimizer_may_remember_comes_back_to_the_bit(tmp_path):
    tree = {
        "floats": [0.1, -0.0, 1e-310, 1e308, math.inf, -math.inf, 3.0],
        "ints": (0, -1, 2**70, True, False, None, "text", "ü/."),
        "keys": {0: "a", "0": "b", (1, "x"): "c", None: "d", 1.5: "e"},
        "empty": [{}, [], (), torch.zeros(0, 3), torch.tensor(2.5)],
        "betas": (0.9, 0.999),
        "dtype": torch.bfloat16,
        "tensors": [torch.tensor([0, 1, 3]).to(dtype) for dtype in DTYPES],
        "special": torch.tensor([math.nan, math.inf, -math.inf, -0.0, 1e-45]),
        "complex": [torch.tensor([1 + 2j]), torch.tensor([1 - 2j], dtype=torch.complex128).conj()],
        "strided": torch.arange(48.0).reshape(1, 4, 3, 4).contiguous(memory_format=torch.channels_last),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
    }
    assert bits(again(tmp_path, tree)) == bits(tree)
    found = again(tmp_path, {"nan": math.nan})["nan"]
    assert math.isnan(found)


def test_parts_of_tensors_are_stored_without_the_rest():
    whole = torch.arange(10.0)
    flat = flatten({"part": whole[2:4], "every other": whole[::2], "spread": torch.ones(1).expand(5)})
    assert [tensor.untyped_storage().nbytes() for tensor in flat.tensors.values()] == [8, 20, 20]
    assert restore(flat)["every other"].tolist() == [0, 2, 4, 6, 8]


def test_a_tensor_that_stands_in_two_places_does_so_again(tmp_path):
    shared = torch.ones(2)
    tree = again(tmp_path, {"a": shared, "b": [shared], "c": torch.ones(2)})
    assert tree["a"] is tree["b"][0]
    assert tree["a"] is not tree["c"]


def test_names_that_would_coincide_are_kept_apart(tmp_path):
    tree = {"a/b": torch.zeros(1), "a": {"b": torch.ones(1)}}
    assert bits(again(tmp_path, tree)) == bits(tree)


def test_a_state_dict_is_a_file_that_others_read(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model[0].bias = model[1].bias
    write_checkpoint(tmp_path / "w.safetensors", dict(model.state_dict()), {"step": "7"})
    other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=False))


class Own:
    pass


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Own(), "state.0.own, a Own"),
        ({1, 2}, "state.0.own, a set"),
        (torch.ones(2).to_sparse(), "state.0.own: sparse"),
        ([1, lambda: 1], "state.0.own.1, a function"),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_place(tmp_path, value, told):
    with pytest.raises(InputError, match=told):
        write_checkpoint(tmp_path / "c", {"state": {0: {"own": value}}})
    assert not list(tmp_path.iterdir())


def test_damage_is_noticed_wherever_it_is(tmp_path):
    path = tmp_path / "c"
    write_checkpoint(path, {"step": 12, "weight": torch.arange(4.0)})
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(InputError, match=r"damaged|cannot be read"):
            read_checkpoint(path)
    for length in (0, 7, 40, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match="cannot be read"):
            read_checkpoint(path)


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    path = tmp_path / "c"
    write_checkpoint(path, {"step": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MachineError, match="No space left"):
        write_checkpoint(path, {"step": 2})
    assert read_checkpoint(path) == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["c"]

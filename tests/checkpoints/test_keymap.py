import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.checkpoints.keymap import KeyMap, under
from mezzotint.errors import InputError

KEYS = KeyMap(
    pairs=(
        *under("blocks.{}.layers.{}", "b.{}.l.{}", (("norm1", "norm"), ("to_out.0", "out"))),
        ("blocks.{}.scale", "b.{}.scale"),
        ("head", "head"),
    ),
    also=(("old_head", "head"),),
    ignored=("blocks.{}.position_ids",),
    pointwise=("head",),
)
THEIRS = {
    "blocks.3.layers.12.norm1.weight": torch.rand(2),
    "blocks.3.layers.12.norm1.bias": torch.rand(2),
    "blocks.3.layers.12.to_out.0.weight": torch.rand(2, 3),
    "blocks.3.scale": torch.rand(1),
    "head.weight": torch.rand(3, 2, 1, 1),
}
OURS = {
    "b.3.l.12.norm.weight": THEIRS["blocks.3.layers.12.norm1.weight"],
    "b.3.l.12.norm.bias": THEIRS["blocks.3.layers.12.norm1.bias"],
    "b.3.l.12.out.weight": THEIRS["blocks.3.layers.12.to_out.0.weight"],
    "b.3.scale": THEIRS["blocks.3.scale"],
    "head.weight": THEIRS["head.weight"][:, :, 0, 0],
}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_there_and_back() -> None:
    assert same(KEYS.to_ours(THEIRS, OURS, "file"), OURS)
    assert same(KEYS.to_theirs(OURS), THEIRS)


@given(i=st.integers(0, 999), j=st.integers(0, 999))
def test_indices_keep_their_order(i: int, j: int) -> None:
    theirs, ours = f"blocks.{i}.layers.{j}.norm1.bias", f"b.{i}.l.{j}.norm.bias"
    tensor = torch.zeros(1)
    assert list(KEYS.to_ours({theirs: tensor}, {ours: tensor}, "file")) == [ours]
    assert list(KEYS.to_theirs({ours: tensor})) == [theirs]


def test_older_names_are_read_and_useless_tensors_left() -> None:
    older = {key.replace("head", "old_head"): tensor for key, tensor in THEIRS.items()}
    older["blocks.3.position_ids"] = torch.arange(2)
    assert same(KEYS.to_ours(older, OURS, "file"), OURS)


def test_all_faults_are_listed_at_once() -> None:
    faulty = {
        **THEIRS,
        "blocks.3.scale": torch.rand(4),
        "blocks.3.extra": torch.rand(1),
        "blocks.4.scale": torch.rand(1),
    }
    del faulty["head.weight"]
    with pytest.raises(InputError) as error:
        KEYS.to_ours(faulty, OURS, "cat.safetensors")
    assert str(error.value) == (
        "cat.safetensors: 1 missing: head.weight; "
        "2 unexpected: blocks.3.extra, blocks.4.scale; "
        "1 mis-shaped: blocks.3.scale (4,) for (1,)"
    )


def test_a_long_list_is_cut() -> None:
    extra = {f"x{i}": torch.zeros(1) for i in range(9)}
    with pytest.raises(InputError, match="9 unexpected: x0, x1, x2, x3, x4 and 4 more"):
        KEYS.to_ours(THEIRS | extra, OURS, "file")


def test_a_tensor_by_both_its_names_is_unexpected() -> None:
    twice = THEIRS | {"old_head.weight": THEIRS["head.weight"]}
    with pytest.raises(InputError, match=r"1 unexpected: old_head\.weight"):
        KEYS.to_ours(twice, OURS, "file")


def test_a_map_that_names_a_tensor_twice_or_never_is_an_error() -> None:
    double = KeyMap((("a.{}", "b.{}"), ("a.1", "c")))
    with pytest.raises(KeyError, match="several templates"):
        double.to_ours({"a.1.weight": torch.zeros(1)}, {}, "file")
    with pytest.raises(KeyError, match="no name for d"):
        double.to_theirs({"d": torch.zeros(1)})

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from mezzotint.checkpoints.keymap import Held, KeyMap, under
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


FUSED = KeyMap(
    pairs=(
        *under(
            "blocks.{}",
            "b.{}",
            (
                ("qkv", Held(("query", "key", "value"))),
                ("in_proj_weight", Held(("q.weight", "k.weight"))),
                ("linear1", Held(("heads", "widen"), shares=(3, 4))),
            ),
        ),
        ("projection", Held(("project.weight",), "transposed")),
        ("final", Held(("modulation",), "swapped")),
    )
)
SHAPES = {
    "b.7.query.weight": (2, 3),
    "b.7.key.weight": (2, 3),
    "b.7.value.weight": (2, 3),
    "b.7.query.bias": (2,),
    "b.7.key.bias": (2,),
    "b.7.value.bias": (2,),
    "b.7.q.weight": (1, 5),
    "b.7.k.weight": (1, 5),
    "b.7.heads.weight": (6, 2),
    "b.7.widen.weight": (8, 2),
    "project.weight": (4, 2),
    "modulation.weight": (6, 2),
    "modulation.bias": (6,),
}
FUSED_SHAPES = {
    "blocks.7.qkv.weight": (6, 3),
    "blocks.7.qkv.bias": (6,),
    "blocks.7.in_proj_weight": (2, 5),
    "blocks.7.linear1.weight": (14, 2),
    "projection": (2, 4),
    "final.weight": (6, 2),
    "final.bias": (6,),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn])
def test_tensors_held_otherwise_there_and_back(dtype: torch.dtype) -> None:
    ours = {name: torch.randn(shape).to(dtype) for name, shape in SHAPES.items()}
    theirs = FUSED.to_theirs(ours)
    assert {name: tuple(tensor.shape) for name, tensor in theirs.items()} == FUSED_SHAPES
    assert all(tensor.is_contiguous() for tensor in theirs.values())
    back = FUSED.to_ours(theirs, ours, "file")
    assert all(tensor.is_contiguous() for tensor in back.values())
    assert same({k: v.float() for k, v in back.items()}, {k: v.float() for k, v in ours.items()})
    assert FUSED.shapes(FUSED_SHAPES) == SHAPES


def test_parts_of_a_stack_are_views() -> None:
    theirs = {name: torch.rand(shape) for name, shape in FUSED_SHAPES.items()}
    ours = {name: torch.empty(shape, device="meta") for name, shape in SHAPES.items()}
    back = FUSED.to_ours(theirs, ours, "file")
    where = theirs["blocks.7.qkv.weight"].untyped_storage().data_ptr()
    assert back["b.7.value.weight"].untyped_storage().data_ptr() == where
    assert torch.equal(back["b.7.value.weight"], theirs["blocks.7.qkv.weight"][4:])
    assert torch.equal(back["project.weight"], theirs["projection"].T)
    assert torch.equal(back["modulation.bias"], theirs["final.bias"][[3, 4, 5, 0, 1, 2]])


def test_what_theirs_holds() -> None:
    assert FUSED.held(["b.7.key.bias", "project.weight", "b.0.widen.weight"]) == {
        "blocks.7.qkv.bias": ("b.7.query.bias", "b.7.key.bias", "b.7.value.bias"),
        "projection": ("project.weight",),
        "blocks.0.linear1.weight": ("b.0.heads.weight", "b.0.widen.weight"),
    }
    with pytest.raises(KeyError, match="no name for d"):
        FUSED.held(["d"])


@given(st.sampled_from(list(FUSED_SHAPES)), st.lists(st.integers(0, 9), max_size=4).map(tuple))
def test_any_other_shape_is_mis_shaped(name: str, shape: tuple[int, ...]) -> None:
    assume(shape not in (FUSED_SHAPES[name], (*FUSED_SHAPES[name], 1)))
    ours = {name: torch.empty(shape) for name, shape in SHAPES.items()}
    theirs = {name: torch.empty(shape) for name, shape in FUSED_SHAPES.items()}
    theirs[name] = torch.empty(shape)
    with pytest.raises(InputError, match="mis-shaped"):
        FUSED.to_ours(theirs, ours, "file")
    assert FUSED.shapes({name: shape}).keys() == FUSED.shapes({name: FUSED_SHAPES[name]}).keys()


def test_a_part_of_a_stack_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        FUSED.to_theirs({"b.0.query.weight": torch.zeros(2, 2)})
    with pytest.raises(InputError, match=r"1 missing: blocks\.0\.qkv\.weight"):
        FUSED.to_ours({}, {"b.0.key.weight": torch.zeros(1), "b.0.value.weight": torch.ones(1)}, "")


def test_what_is_below_an_ignored_name_is_left_but_nothing_beside_it() -> None:
    keys = KeyMap((("layers.{}.a", "l.{}.a"),), ignored=("layers.9", "mask"))
    ours = {"l.1.a.weight": torch.zeros(1)}
    theirs = {"layers.1.a.weight": torch.zeros(1), "layers.9.b.c": torch.zeros(1)}
    assert same(keys.to_ours(theirs | {"layers.9.a.weight": torch.zeros(1)}, ours, "file"), ours)
    with pytest.raises(InputError, match="1 unexpected: masks"):
        keys.to_ours(theirs | {"masks": torch.zeros(1)}, ours, "file")
    assert keys.shapes({"layers.1.a.weight": (1,), "layers.9.a.weight": (1,), "x": ()}) == {
        "l.1.a.weight": (1,)
    }


def test_a_copy_may_be_there_beside_or_alone() -> None:
    keys = KeyMap((("head", "head"),), also=(("copy", "head"),), ignored=("copy",))
    head, ours = torch.rand(2), {"head.weight": torch.zeros(2)}
    for theirs in (
        {"head.weight": head},
        {"copy.weight": head},
        {"copy.weight": torch.zeros(2), "head.weight": head},
        {"head.weight": head, "copy.weight": torch.zeros(2)},
    ):
        assert torch.equal(keys.to_ours(theirs, ours, "file")["head.weight"], head)
        assert keys.shapes(dict.fromkeys(theirs, (2,))) == {"head.weight": (2,)}

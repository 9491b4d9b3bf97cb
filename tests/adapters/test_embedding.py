from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import pytest
import torch
from lora_files import same, sd15, sdxl, state
from safetensors.torch import save_file
from torch import Tensor

from mezzotint.adapters.base import attached
from mezzotint.adapters.embedding import TextualInversion, embedding, ids
from mezzotint.errors import InputError
from mezzotint.families.base import Part

VOCABULARY, END = 10, 9


def word(name: str, *widths: int, number: int = 2) -> TextualInversion:
    torch.manual_seed(len(name) + sum(widths))
    return TextualInversion(name, {width: torch.randn(number, width) for width in widths})


def encoded(parts: Mapping[str, Part], tokens: list[int], part: str = "text") -> Tensor:
    return parts[part].module(torch.tensor([tokens]))[0]


@pytest.mark.parametrize("part", ["text", "text_2"])
def test_a_word_is_what_its_vectors_in_the_table_would_be(part: str) -> None:
    parts, other = sdxl(), sdxl()
    before, cat = state(parts), word("cat", 12, 20)
    table = other[part].module.tokens
    width = table.embedding_dim
    table.weight.data[[2, 4]] = cat.vectors[width].double()
    expected = encoded(other, [0, 2, 4, 7, END], part)
    with attached(parts, [cat]):
        first, second = ids(parts[part].module)["cat"]
        assert same(state(parts), before)  # words are not weights
        assert torch.equal(encoded(parts, [0, first, second, 7, END], part), expected)
    assert not torch.equal(encoded(parts, [0, 2, 4, 7, END], part), expected)
    assert not ids(parts[part].module)


def test_words_come_and_go_in_any_order() -> None:
    words = [word("a", 12, number=1), word("bb", 12, number=3), word("ccc", 12)]
    for order in permutations(range(3)):
        parts = sd15()
        table, before = parts["text"].module.tokens, state(parts)
        injected = [w.inject(parts) for w in words]
        places = ids(parts["text"].module)
        assert [list(places[w.name]) for w in words] == [[10], [11, 12, 13], [14, 15]]
        alone = {name: encoded(parts, [0, *places[name], END]) for name in places}
        for k in order:
            injected[k].eject()
            injected[k].eject()
            left = ids(parts["text"].module)
            assert left.keys() == places.keys() - {
                words[j].name for j in order[: order.index(k) + 1]
            }
            for name in left:
                assert torch.equal(encoded(parts, [0, *left[name], END]), alone[name])
        assert parts["text"].module.tokens is table
        assert same(state(parts), before)


def test_ids_of_nothing_are_an_error() -> None:
    parts = sd15()
    with attached(parts, [word("cat", 12)]), pytest.raises(IndexError, match=r"tokens \[12\]"):
        encoded(parts, [0, 12, END])


def test_the_vectors_take_the_encoders_precision() -> None:
    parts = sd15()
    with attached(parts, [TextualInversion("cat", {12: torch.ones(1, 12).half()})]):
        assert encoded(parts, [0, 10, END]).dtype == torch.float64


@pytest.mark.parametrize(
    ("parts", "widths"), [(sd15, (20,)), (sd15, (12, 20)), (sdxl, (12,)), (sdxl, (20,))]
)
def test_words_for_another_model_are_refused(parts, widths: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"'cat' is for an encoder of width .*; this model reads"):
        word("cat", *widths).inject(parts())


def test_an_error_names_the_encoders() -> None:
    with pytest.raises(InputError, match=r"for OpenCLIP ViT-H \(Stable Diffusion 2\.x\)"):
        TextualInversion("cat", {1024: torch.zeros(1, 1024)}).inject(sd15())


def test_a_word_is_there_once() -> None:
    parts = sd15()
    with attached(parts, [word("cat", 12)]):
        with pytest.raises(InputError, match="'cat' is there already"):
            word("cat", 12).inject(parts)
        assert list(ids(parts["text"].module)) == ["cat"]


ONE, TWO = torch.randn(2, 12), torch.randn(2, 20)


@pytest.mark.parametrize(
    ("tensors", "vectors"),
    [
        ({"emb_params": ONE}, {12: ONE}),
        ({"<cat>": ONE[0]}, {12: ONE[:1]}),
        ({"clip_l": ONE, "clip_g": TWO}, {12: ONE, 20: TWO}),
    ],
)
def test_safetensors_files(
    tmp_path: Path, tensors: dict[str, Tensor], vectors: dict[int, Tensor]
) -> None:
    save_file(tensors, tmp_path / "cat.safetensors")
    read = embedding(tmp_path / "cat.safetensors")
    assert read.name == "cat"
    assert same(
        {str(k): v for k, v in read.vectors.items()}, {str(k): v for k, v in vectors.items()}
    )


def test_pickled_files(tmp_path: Path) -> None:
    a1111 = {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": ONE},
        "name": "cat",
        "step": 500,
        "sd_checkpoint": None,
    }
    torch.save(a1111, tmp_path / "cat.pt")
    torch.save({"<cat>": ONE[0]}, tmp_path / "learned_embeds.bin")
    assert torch.equal(embedding(tmp_path / "cat.pt").vectors[12], ONE)
    read = embedding(tmp_path / "learned_embeds.bin", name="cat")
    assert read.name == "cat"
    assert torch.equal(read.vectors[12], ONE[:1])


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": ONE, "b": ONE + 1},
        {"a": torch.zeros(3, 3, 3)},
        {"a": torch.zeros(0, 12)},
        {f"layer.{k}": torch.zeros(1, k + 1) for k in range(6)},
    ],
)
def test_other_files_are_refused(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    save_file(tensors, tmp_path / "cat.safetensors")
    with pytest.raises(InputError, match=r"cat\.safetensors is no textual inversion"):
        embedding(tmp_path / "cat.safetensors")

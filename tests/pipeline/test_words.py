"""Which tokens are a word, and where a picture shows it."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from placed import boxes_of, latents_of

import mezzotint as mz
from mezzotint.errors import InputError
from mezzotint.families import flux, sd3
from mezzotint.families.base import Canvas, Model
from mezzotint.families.stable_diffusion import SDXL
from mezzotint.pipeline.words import Reading, read, word_mask
from mezzotint.world import Item, compose

CANVAS = Canvas(32, 32)
WORDS = ["fox", "red", "snow", "apple", "night", "background"]


def spelt(model: Model, reading: Reading, rows: list[int]) -> str:
    ids = [reading.rows[i].id for i in rows]
    return model.encoders[0].tokenizer.decode(ids).replace(" ", "").lower()


@settings(max_examples=20)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), k=st.integers(0, 4))
def test_a_words_tokens_spell_it(tiny_model: Model, words: list[str], k: int) -> None:
    word = words[k % len(words)]
    (reading,) = read(tiny_model, ["a " + ", ".join(words)], CANVAS)
    assert spelt(tiny_model, reading, reading.of(word)) == word * words.count(word)
    assert len(reading.rows) == reading.told.context.shape[1]


@pytest.mark.parametrize(
    "prompt", ["a (red:1.3) fox", "a [red] (FOX)", "a red BREAK fox", "a (red fox:0.5) at night"]
)
def test_syntax_parts_no_words(tiny_model: Model, prompt: str) -> None:
    (reading,) = read(tiny_model, [prompt], CANVAS)
    assert spelt(tiny_model, reading, reading.of("red  Fox")) == "redfox"


@pytest.mark.parametrize(
    ("join", "encoders"), [(sd3.join, {0, 2}), (flux.join, {1}), (SDXL.join, {0})]
)
def test_every_family_puts_its_encoders_in_their_place(
    tiny_model: Model, join: object, encoders: set[int]
) -> None:
    number = 3 if join is sd3.join else 2
    pooled = replace(tiny_model.encoders[0])
    family = replace(tiny_model.family, join=join)
    model = replace(tiny_model, family=family, encoders=(pooled,) * number)
    (reading,) = read(model, ["a red fox"], CANVAS)
    rows = reading.of("fox")
    assert {reading.rows[i].encoder for i in rows} == encoders
    assert spelt(model, reading, rows) == "fox" * len(encoders)


def test_words_beyond_the_first_window(tiny_model: Model) -> None:
    encoder = tiny_model.encoders[0]
    further = replace(encoder, frame=replace(encoder.frame, repeats=True))
    model = replace(tiny_model, encoders=(further,))
    long = "snow, " * 12 + "a fox"
    first, second = read(model, [long, "an apple"], CANVAS)
    assert len(first.rows) == len(second.rows) > encoder.frame.whole
    assert min(first.of("fox")) > encoder.frame.whole
    assert spelt(model, first, first.of("fox")) == "fox"
    (cut,) = read(tiny_model, [long], CANVAS)
    with pytest.raises(InputError, match="'fox' is where the prompt is too long"):
        cut.of("fox")


@pytest.mark.parametrize(("word", "hint"), [("foxs", "did you mean 'fox'"), ("", "choose from")])
def test_a_word_that_is_not_there(tiny_model: Model, word: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"unknown word of the prompt '{word}': {hint}"):
        word_mask(tiny_model, torch.zeros(1, 4, 8, 8), "a fox in the snow", word)


def test_a_mask_is_of_the_pictures_size(tiny_model: Model) -> None:
    latents = torch.randn(1, 4, 8, 12)
    mask = word_mask(tiny_model, latents, "a fox in the [snow|night]", "night")
    assert mask.shape == (1, 1, 8 * tiny_model.factor, 12 * tiny_model.factor)
    assert 0 <= mask.min() < 0.1
    assert 0.9 < mask.max() <= 1
    again = word_mask(tiny_model, latents, "a fox in the [snow|night]", "night")
    assert torch.equal(again, mask)
    other = word_mask(tiny_model, latents, "a fox in the [snow|night]", "fox")
    assert not torch.allclose(other, mask, atol=0.05)


@pytest.mark.parametrize("names", [("fox", "penguin"), ("cat", "robot")])
def test_a_mask_lies_where_the_world_put_the_thing(names: tuple[str, str]) -> None:
    """Of the shipped model: each thing's mask within its own box, not in the other's."""
    model = mz.load().model
    scene = compose(9, [Item(name) for name in names], place="meadow")
    latents, boxes = latents_of(model, scene), boxes_of(scene, model.family.size)
    for k, thing in enumerate(scene.things):
        prompt = f"a {names[0]} and a {names[1]} in the meadow"
        mask = word_mask(model, latents, prompt, thing.name)[0, 0]
        inside = (mask * boxes).sum((1, 2)) / mask.sum()
        assert inside[k] > 3 * boxes[k].mean(), inside
        assert inside[1 - k] < inside[k] / 4, inside

"""Pairs of the world: what is in them, and that they are drawn and encoded once."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from storybooks import SIZES

from mezzotint.adapters.image_encoder import Eye
from mezzotint.adapters.pictures import for_storybook
from mezzotint.families.base import Model
from mezzotint.models.clip import CLIPVision
from mezzotint.training.data import latents as latents_module
from mezzotint.training.data import pairs as pairs_module
from mezzotint.training.data import pictures as pictures_module
from mezzotint.training.data.pairs import PairSet, as_latents, as_vectors, drawn_pairs, shown
from mezzotint.training.data.views import PAIRED
from mezzotint.training.draw import Draw
from mezzotint.training.process_group import Group
from mezzotint.world import render, style_caption, things_caption
from mezzotint.world.changes import CHANGES

CPU = torch.device("cpu")
ALONE = Group(0, 1, CPU)
SET = PairSet("change", size=32, count=7, wordings=2, first_seed=5)
seeds = st.integers(0, 1 << 40)


def quiet(*_) -> None:
    pass


@pytest.fixture(autouse=True)
def small_shards(monkeypatch) -> list[int]:
    """Three pairs a shard, drawn in this process; the shards that were drawn."""
    for module in (latents_module, pairs_module, pictures_module):
        monkeypatch.setattr(module, "SHARD", 3)
    drawn: list[int] = []

    def here(work, todo, workers):
        for number in todo:
            work(number)
            drawn.append(number)
            yield number

    monkeypatch.setattr(pairs_module, "by_processes", here)
    return drawn


@pytest.fixture(scope="module")
def eye() -> Eye:
    torch.manual_seed(0)
    return Eye(CLIPVision(replace(SIZES.vision, size=16)).eval(), for_storybook)


# what is paired


@given(seeds)
@settings(max_examples=15)
def test_a_change_is_asked_for_in_words(seed: int):
    pair = PAIRED["change"](seed, 3)
    assert pair.kind in CHANGES
    assert pair.drawn != pair.seen
    assert len(pair.wordings) == 3
    assert all(pair.wordings)


@given(seeds)
@settings(max_examples=15)
def test_content_is_seen_and_not_always_told(seed: int):
    pair = PAIRED["content"](seed, 4)
    names = [thing.name for thing in pair.drawn.things]
    assert names
    assert names == [thing.name for thing in pair.seen.things]
    assert pair.drawn != pair.seen
    assert not any(name in text for name in names for text in pair.wordings[:3])
    assert len(pair.wordings) == 4
    assert pair.telling == things_caption(pair.drawn) == things_caption(pair.seen)


def test_the_last_of_the_wordings_tells_the_things():
    """What the setting alone is told by would be told by all, were they mixed up."""
    pairs = [PAIRED["content"](seed, 4) for seed in range(40)]
    told = [
        [any(thing.name in text for thing in pair.drawn.things) for text in pair.wordings]
        for pair in pairs
    ]
    alone, whole = np.array(told)[:, :3], np.array(told)[:, 3:]
    assert alone.mean() == 0
    assert whole.mean() > 0.3  # the rest by synonyms and plurals


@given(seeds)
@settings(max_examples=15)
@example(473)  # in ink, and a pink crab in it
def test_a_style_is_seen_and_never_told(seed: int):
    pair = PAIRED["style"](seed, 4)
    assert pair.drawn.style == pair.seen.style
    names = {thing.name for thing in pair.drawn.things}
    assert names.isdisjoint(thing.name for thing in pair.seen.things)
    words = {word for text in pair.wordings for word in re.findall(r"\w+", text)}
    assert words.isdisjoint({"storybook", pair.drawn.style})
    assert pair.telling == style_caption(pair.seen)


def test_each_style_is_as_likely_as_another():
    styles = [PAIRED["style"](seed, 1).drawn.style for seed in range(96)]
    counts = [styles.count(style) for style in set(styles)]
    assert len(counts) == 8
    assert max(counts) < 0.3 * len(styles)  # the world has its default in more than half


def test_pairs_are_the_same_for_ever_and_differ():
    for kind, made in PAIRED.items():
        assert made(3, 2) == made(3, 2), kind
        assert made(3, 2) != made(4, 2), kind


# what is kept of them


def test_what_is_kept_is_of_both_pictures(tiny_model: Model, tmp_path: Path):
    model = replace(
        tiny_model, latent_mean=tiny_model.latent_mean + 0.5, latent_std=2 * tiny_model.latent_std
    )
    sight = as_latents(model, SET.size, CPU)
    found = drawn_pairs(tmp_path, SET, sight, model, ALONE, quiet)
    rows = list(found.each(4))
    assert [len(each["latents"]) for each in rows] == [4, 3]
    for number in (0, 5):
        pair = SET.pair(number)
        for name, scene in (("latents", pair.drawn), ("companions", pair.seen)):
            image = torch.tensor(render(scene, 32)).permute(2, 0, 1)[None] / 127.5 - 1
            own = model.encode_images(image)[0]
            kept = rows[number // 4][name][number % 4]
            # they are worked out in bfloat16
            torch.testing.assert_close(kept, own, atol=0.05, rtol=0.05)
        assert not torch.allclose(
            rows[number // 4]["latents"], rows[number // 4]["companions"], atol=0.05, rtol=0.05
        )
    told = model.encoders[0].windows([SET.pair(5).wordings[0]])
    assert torch.equal(rows[1]["tokens"][1:2], told)


def test_vectors_are_what_the_tower_will_see_in_use(tiny_model: Model, eye: Eye, tmp_path: Path):
    pairs = replace(SET, kind="content", count=3)
    found = drawn_pairs(tmp_path, pairs, as_vectors(eye, CPU), tiny_model, ALONE, quiet)
    (rows,) = found.each(7)
    assert rows["companions"].shape == (3, eye.tower.params.projection)
    for number, each in enumerate(shown(pairs, 3)):
        with torch.no_grad():
            own = eye.tower(eye.pixels(each.seen))[1][0]
            other = eye.tower(eye.pixels(each.drawn))[1][0]
        assert (rows["companions"][number] - own).abs().max() < 5e-3 * own.abs().max()
        assert (rows["companions"][number] - other).abs().max() > 5e-3 * own.abs().max()
        assert each.caption == found.captions[number][0]
        assert isinstance(each.drawn, Image.Image)


def test_what_would_tell_them_is_kept_too(tiny_model: Model, eye: Eye, tmp_path: Path):
    pairs = replace(SET, kind="content", count=4)
    found = drawn_pairs(tmp_path, pairs, as_vectors(eye, CPU), tiny_model, ALONE, quiet)
    told = tiny_model.encoders[0].windows([pairs.pair(number).telling for number in (3, 0)])
    assert torch.equal(found.telling(torch.tensor([3, 0]))["tokens"], told)
    assert [len(wordings) for wordings in found.captions] == [2] * 4


def test_nothing_is_drawn_twice_and_pictures_are_let_go(
    tiny_model: Model, tmp_path: Path, small_shards: list[int]
):
    sight = as_latents(tiny_model, SET.size, CPU)
    first = drawn_pairs(tmp_path, SET, sight, tiny_model, ALONE, quiet)
    assert small_shards == [0, 1, 2]
    folder = tmp_path / SET.folder_name
    assert not [file for file in folder.glob("*.npy") if file.name[0] in "0123456789"]
    (folder / f"seen-{sight.name}-00001.npy").unlink()  # as if it had been stopped there
    (folder / "set.json").unlink()
    again = drawn_pairs(tmp_path, SET, sight, tiny_model, ALONE, quiet)
    assert small_shards == [0, 1, 2, 1]
    (one,), (other,) = first.each(7), again.each(7)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch_follows_from_seed_and_step(tiny_model: Model, tmp_path: Path):
    sight = as_latents(tiny_model, SET.size, CPU)
    found = drawn_pairs(tmp_path, SET, sight, tiny_model, ALONE, quiet)

    def batch(seed: int, step: int, rows: slice = slice(None), blank=None):
        return found.batch(Draw(seed, step, 6, rows, CPU), blank)

    one = batch(0, 3)
    assert torch.equal(one["shots"], batch(0, 3)["shots"])
    assert not torch.equal(one["shots"], batch(1, 3)["shots"])
    part = batch(0, 3, slice(2, 4))
    assert torch.equal(part["latents"], one["latents"][2:4])
    seen = torch.cat([batch(0, step)["shots"] for step in range(7)])
    assert torch.bincount(seen).tolist() == [6] * 7
    silent = batch(0, 3, blank=np.arange(6) < 2)
    empty = tiny_model.encoders[0].windows([""])
    assert torch.equal(silent["tokens"][:2], empty.expand(2, -1))
    assert torch.equal(silent["tokens"][2:], one["tokens"][2:])


def test_sets_have_names_of_their_own():
    others = [
        replace(SET, **{name: value})
        for name, value in (("kind", "style"), ("count", 8), ("first_seed", 6), ("wordings", 3))
    ]
    assert len({each.folder_name for each in (SET, *others)}) == 5

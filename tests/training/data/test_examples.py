from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from mezzotint.errors import InputError
from mezzotint.families.base import Canvas
from mezzotint.families.stable_diffusion import join_xl
from mezzotint.training.data.album import divided, read_album
from mezzotint.training.data.cached import latents, pixels
from mezzotint.training.data.examples import apart, examples, retold, together
from mezzotint.training.data.wordings import encoded, tokens, told, told_by
from mezzotint.training.draw import Draw
from mezzotint.training.process_group import Group
from mezzotint.training.tasks.personal import PRIOR

ALONE = Group(0, 1, torch.device("cpu"))
SHAPES = [(32, 32), (40, 40), (60, 20), (20, 60)]


def quiet(*_):
    pass


def draw_of(step, batch, rows=slice(None)):
    return Draw(0, step, batch, rows, torch.device("cpu"))


@pytest.fixture
def folder(tmp_path):
    """Four pictures in three shapes."""
    rng = np.random.default_rng(0)
    (tmp_path / "album").mkdir()
    for k, (width, height) in enumerate(SHAPES):
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        file = tmp_path / "album" / f"{k}.png"
        Image.fromarray(pixels).save(file)
        file.with_suffix(".txt").write_text(f"picture number {k}")
    return tmp_path / "album"


@pytest.fixture
def paired(folder):
    """The same, and their companions."""
    (folder / "conditions").mkdir()
    for file in folder.glob("*.png"):
        with Image.open(file) as picture:
            ImageOps.invert(picture).save(folder / "conditions" / file.name)
    return folder


def shots_of(folder, pairs=""):
    return read_album(folder, quiet, pairs).shots


@pytest.fixture
def made(folder, tmp_path, tiny_model):
    """Makes examples of the folder."""

    def make(reads=encoded, model=tiny_model, pairs="", shots=None, **more):
        return examples(
            shots or shots_of(folder, pairs),
            model,
            32,
            tmp_path / "kept",
            reads(model),
            ALONE,
            **{"warn": quiet, "progress": quiet} | more,
        )

    return make


@pytest.fixture(scope="module")
def xl_model(tiny_model):
    """A model that is told sizes, reads with two encoders, and was trained with zeros for no
    prompt.
    """
    family = replace(tiny_model.family, join=join_xl, zero_blank=True)
    return replace(tiny_model, family=family, encoders=tiny_model.encoders * 2)


@pytest.mark.parametrize("batch", [1, 4])
def test_small_folders_fill_batches_of_one_size(made, tiny_model, batch):
    every = made()
    seen = np.zeros(4, int)
    sizes = set()
    for step in range(every.epoch):
        rows = every.batch(draw_of(step, batch))
        seen += np.bincount(rows["shots"], minlength=4)
        height, width = (side * tiny_model.factor for side in rows["latents"].shape[2:])
        sizes.add((width, height))
        assert rows["latents"].shape[:2] == (batch, 4)
        for k in rows["shots"].tolist():
            canvas = every.ready[k].canvas
            assert (canvas.width, canvas.height) == (width, height)
    assert seen.tolist() == [batch] * 4
    assert len(every) == every.epoch == 4
    assert len(sizes) == 3


def test_a_batch_is_the_models_latents_and_what_it_is_told(made, tiny_model):
    every = made()
    for step in range(4):
        rows = every.batch(draw_of(step, 2))
        for k, shot in enumerate(rows["shots"].tolist()):
            ready = every.ready[shot]
            with torch.no_grad():
                alone = tiny_model.encode_prompts([ready.shot.caption], ready.canvas)
            assert torch.equal(rows["context"][k], alone.context[0])
            assert torch.equal(rows["vector"][k], alone.vector[0])
            assert not torch.equal(
                rows["context"][k], every.batch(draw_of(step, 2), np.ones(2, bool))["context"][k]
            )
    assert every.batch(draw_of(0, 2)).keys() == {"latents", "shots", "context", "vector"}


def test_batches_are_the_same_again_and_shared_out_by_rows(made):
    one, other = made(), made()
    for step in range(5):
        whole = one.batch(draw_of(step, 4))
        parts = [other.batch(draw_of(step, 4, rows)) for rows in (slice(2), slice(2, 4))]
        for name, rows in whole.items():
            assert torch.equal(rows, torch.cat([part[name] for part in parts]))
    assert not torch.equal(one.batch(draw_of(0, 4))["latents"], one.batch(draw_of(4, 4))["latents"])


def test_half_of_the_visits_are_to_the_mirror_image_of_picture_and_companion(made, paired):
    every = made(pairs="conditions", companions=pixels(), mirror=True)
    mirrored = []
    for step in range(24):
        rows = every.batch(draw_of(step, 2))
        for shot, companion in zip(rows["shots"].tolist(), rows["companions"], strict=True):
            if shot > 1:  # those are cropped
                continue
            with Image.open(paired / "conditions" / f"{shot}.png") as file:
                whole = np.asarray(file.resize((32, 32), Image.Resampling.LANCZOS)) / 255
            plain = np.allclose(companion.numpy().transpose(1, 2, 0), whole, atol=1e-6)
            flipped = np.allclose(companion.numpy().transpose(1, 2, 0), whole[:, ::-1], atol=1e-6)
            assert plain != flipped
            mirrored.append(flipped)
    assert 0.2 < np.mean(mirrored) < 0.8


def test_companions_can_be_latents(made, paired, tiny_model):
    rows = made(pairs="conditions", companions=latents(tiny_model)).batch(draw_of(0, 2))
    assert rows["companions"].shape == rows["latents"].shape
    assert not torch.equal(rows["companions"], rows["latents"])


def test_a_family_that_is_told_sizes_is_told_those_of_the_bucket(made, xl_model):
    every = made(model=xl_model)
    vectors = {}
    for rows in every.each(1):
        canvas = every.ready[int(rows["shots"])].canvas
        with torch.no_grad():
            alone = xl_model.encode_prompts([every.ready[int(rows["shots"])].shot.caption], canvas)
            default = xl_model.encode_prompts([every.ready[int(rows["shots"])].shot.caption])
        assert torch.equal(rows["vector"], alone.vector)
        vectors[canvas] = torch.equal(rows["vector"], default.vector)
    assert sorted(vectors.values()) == [False, False, True]


def test_without_a_caption_it_is_told_what_it_was_trained_with(made, xl_model, tiny_model):
    blank = np.array([True, False])
    rows = made(model=xl_model).batch(draw_of(0, 2), blank)
    assert not rows["context"][0].any()
    assert rows["context"][1].any()
    pooled = xl_model.encoders[0].network.params.tower.width
    assert not rows["vector"][0, :pooled].any()
    assert rows["vector"][0, pooled:].any()
    own = made().batch(draw_of(0, 2), blank)
    with torch.no_grad():
        assert torch.equal(own["context"][0], tiny_model.encode_prompts([""]).context[0])


def test_text_encoders_that_learn_read_the_same_from_tokens(made, xl_model):
    fixed, learning = made(model=xl_model), made(tokens, model=xl_model)
    for step in range(3):
        batch = learning.batch(draw_of(step, 2))
        assert {"tokens", "tokens_2"} <= batch.keys()
        with torch.no_grad():
            made_now = told_by(xl_model, batch)
        wanted = told(fixed.batch(draw_of(step, 2)))
        assert torch.allclose(made_now.context, wanted.context, atol=1e-5)
        assert torch.allclose(made_now.vector, wanted.vector, atol=1e-5)
        others = told(fixed.batch(draw_of(step, 2), np.ones(2, bool)))
        assert not torch.allclose(made_now.context, others.context, atol=1e-3)


def test_a_shot_may_be_said_in_several_ways(made):
    every = made(tokens, wordings=lambda shot: (shot.caption, "a hat", "a fox"))
    seen = {
        tuple(row.tolist()) for step in range(30) for row in every.batch(draw_of(step, 4))["tokens"]
    }
    assert len(seen) == 4 + 2


def test_validation_sees_every_shot_once(made):
    every = made()
    batches = list(every.each(1)), list(every.each(9))
    for parts, count in zip(batches, (4, 3), strict=True):
        assert len(parts) == count
        assert sorted(torch.cat([rows["shots"] for rows in parts]).tolist()) == [0, 1, 2, 3]


def test_the_class_is_a_batch_of_its_own_beside_the_subjects(made, folder):
    shots = shots_of(folder)
    subject, prior = made(shots=shots[:1]), made(shots=shots[1:])
    batch = together(subject.batch(draw_of(0, 2)), prior, PRIOR, draw_of(0, 2))
    own, others = apart(batch, PRIOR)
    assert own.keys() == others.keys() == subject.batch(draw_of(0, 2)).keys()
    assert torch.equal(own["latents"], subject.batch(draw_of(0, 2))["latents"])
    assert not torch.equal(own["latents"].mean(), others["latents"].mean())
    assert apart(together(own, None, PRIOR, draw_of(0, 2)), PRIOR)[1] == {}


def test_the_same_shots_are_told_otherwise(made, tiny_model):
    every = made()
    other = retold(every, ("a whale", ""), tokens(tiny_model))
    assert [each.views for each in other.ready] == [each.views for each in every.ready]
    windows = {tuple(row) for row in tiny_model.encoders[0].windows(["a whale", ""]).tolist()}
    rows = [other.batch(draw_of(step, 4)) for step in range(4)]
    assert {tuple(row) for each in rows for row in each["tokens"].tolist()} == windows
    assert torch.equal(rows[0]["latents"], every.batch(draw_of(0, 4))["latents"])


def test_what_turns_out_to_be_broken_is_skipped_and_what_is_small_is_named(made, folder):
    shots = shots_of(folder)
    whole = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(whole[: len(whole) // 2])
    said: list[str] = []
    every = made(shots=shots, warn=said.append)
    assert [each.shot.file.name for each in every.ready] == ["0.png", "2.png", "3.png"]
    assert said == ["skipped 1 of 4 pictures as broken: 1.png"]
    Image.new("RGB", (8, 8)).save(folder / "4.png")
    (folder / "1.png").write_bytes(whole)
    made(warn=said.append)
    assert said[-1] == (
        "1 of 5 pictures are smaller than they are trained at, and are enlarged: 4.png"
    )


@pytest.mark.parametrize(("count", "kept", "held_out"), [(11, 9, 1), (10, 9, 9)])
def test_a_broken_picture_is_never_what_validation_sees(made, tmp_path, count, kept, held_out):
    folder = tmp_path / "more"
    folder.mkdir()
    for k in range(count):
        Image.effect_noise((32, 32), 50).convert("RGB").save(folder / f"{k}.png")
    shots = shots_of(folder)
    for shot in divided(shots, 1)[1]:
        shot.file.write_bytes(shot.file.read_bytes()[:900])
    said: list[str] = []
    train, others = made(shots=shots, warn=said.append).divided(1)
    assert (len(train), len(others)) == (kept, held_out)
    assert len(said) == 1
    assert said[0].startswith(f"skipped 1 of {count} pictures as broken")
    seen = {each.shot for each in train.ready} | {each.shot for each in others.ready}
    assert len(seen) == count - 1
    assert train.batch(draw_of(0, 2), np.array([True, False]))["context"].shape[0] == 2


def test_an_album_of_broken_pictures_is_refused_in_one_line(made, folder):
    shots = shots_of(folder)[:1]
    shots[0].file.write_bytes(shots[0].file.read_bytes()[:200])
    with pytest.raises(InputError, match=r"no picture can be read: 0.png"):
        made(shots=shots)


def test_captions_are_read_before_training_and_never_again(made, tiny_model):
    asked: list[tuple[str, Canvas]] = []

    def counting(model):
        reads = tokens(model)
        return lambda caption, canvas: (asked.append((caption, canvas)), reads(caption, canvas))[1]

    every = made(counting)
    before = len(asked)
    assert before == len(set(asked)) == 4 + 3  # each caption, and none for each size
    for step in range(8):
        every.batch(draw_of(step, 2), np.array([True, False]))
    assert len(asked) == before

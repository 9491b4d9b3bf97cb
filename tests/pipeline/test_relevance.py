"""Where an edit has something to do: on scenes whose things lie where the world put them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from placed import boxes_of, latents_of

import mezzotint as mz
from mezzotint.errors import InputError
from mezzotint.families.base import Model
from mezzotint.families.editing import instructed
from mezzotint.models.unet import UNet
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.relevance import changed_mask, relevance_mask
from mezzotint.world import Item, compose, render


@pytest.fixture(scope="module")
def pipe() -> Pipeline:
    """The shipped model."""
    return mz.load(engine="eager")


def test_a_mask_is_of_the_pictures_size(tiny_model: Model) -> None:
    latents = torch.randn(1, 4, 8, 12)
    mask = relevance_mask(tiny_model, latents, "a fox", "an owl in the [snow|night]", 0.5)
    assert mask.shape == (1, 1, 8 * tiny_model.factor, 12 * tiny_model.factor)
    assert 0 <= mask.min() < mask.max() <= 1
    again = relevance_mask(tiny_model, latents, "a fox", "an owl in the [snow|night]", 0.5)
    assert torch.equal(again, mask)


def test_a_greater_share_is_less_of_the_picture(tiny_model: Model) -> None:
    latents = torch.randn(1, 4, 8, 8)
    areas = [
        relevance_mask(tiny_model, latents, "a fox", "an owl", share).mean()
        for share in (0.2, 0.5, 0.8)
    ]
    assert areas[0] > areas[1] > areas[2] > 0


def test_where_nothing_changes_everything_is_painted(tiny_model: Model) -> None:
    mask = relevance_mask(tiny_model, torch.randn(1, 4, 8, 8), "a fox", "a fox", 0.5)
    assert torch.equal(mask, torch.ones_like(mask))


@pytest.mark.parametrize("k", [0, 1])
def test_what_another_thing_replaces_is_found(pipe: Pipeline, k: int) -> None:
    """The mask lies in the box of what is replaced, not in that of what stays."""
    model, names = pipe.model, ["fox", "penguin"]
    scene = compose(9, [Item(name) for name in names], place="meadow")
    latents, boxes = latents_of(model, scene), boxes_of(scene, model.family.size)
    after = [name if j != k else "robot" for j, name in enumerate(names)]
    said = [f"a {one} and a {other} in the meadow" for one, other in (after, names)]
    mask = relevance_mask(model, latents, *said, mz.relevant().share)[0, 0]
    inside = (mask * boxes).sum((1, 2)) / mask.sum()
    assert inside[k] > 2 * boxes[k].mean(), inside
    assert inside[1 - k] < inside[k] / 2, inside


def test_the_rest_of_an_edit_stays_bit_for_bit(pipe: Pipeline) -> None:
    scene = compose(9, [Item("fox"), Item("penguin")], place="meadow")
    picture = np.array(render(scene, 256))
    found = pipe.edit(
        Image.fromarray(picture),
        "a fox and a robot in the meadow",
        source="a fox and a penguin in the meadow",
        mask=mz.relevant(0.4),
        steps=4,
        seed=1,
    )
    same = (np.asarray(found.images[0]) == picture).all(-1)
    assert 0.2 < same.mean() < 1
    assert 'Mask: "relevant:0.4"' in found.images[0].info["parameters"]


@pytest.mark.parametrize("share", [1.0, -0.1, float("nan")])
def test_a_share_is_below_all(share: float) -> None:
    with pytest.raises(InputError, match="from 0 to below 1, such as"):
        mz.relevant(share)


def test_there_must_be_something_to_compare_with(tiny: Pipeline) -> None:
    with pytest.raises(InputError, match="say with source what the picture shows now"):
        tiny.edit(Image.fromarray(np.zeros((32, 32, 3), np.uint8)), "a fox", mask=mz.relevant())


# of an edit by instruction, afterwards


def test_what_came_out_changed_is_found() -> None:
    before = torch.randn(1, 4, 32, 32)
    after = before + 0.1 * torch.randn_like(before)
    after[:, :, 20:30, 4:14] += 2
    mask = changed_mask(before, after, 0.4, (256, 256))[0, 0]
    assert mask.shape == (256, 256)
    assert mask[170:230, 45:100].min() > 0.95
    assert mask[:120].max() == mask[:, 160:].max() == 0
    assert changed_mask(before, after, 0.0, (256, 256)).min() == 1
    assert changed_mask(before, before, 0.4, (256, 256)).min() == 1


@pytest.fixture
def obeys(tiny: Pipeline) -> Pipeline:
    """The tiny model, as if it took instructions, with the picture itself beside its latents."""
    model = tiny.model
    torch.manual_seed(0)
    network = UNet(replace(model.network.params, channels_in=8)).eval()
    return Pipeline(replace(model, network=network, family=instructed(model.family)), "obeys")


def keeping(pipe: Pipeline, share: float) -> Pipeline:
    """As if its family put back what came out nearly the same."""
    family = pipe.model.family
    family = replace(family, beside=replace(family.beside, keeps=share))
    return Pipeline(replace(pipe.model, family=family), "keeps")


def pixels(pipe: Pipeline, picture: Image.Image, **options: object) -> np.ndarray:
    asked = {"seed": 3, "steps": 2} | options
    return np.asarray(pipe.edit(picture, "make it night", **asked).images[0]).astype(int)


@pytest.mark.parametrize("size", [(32, 32), (37, 45)])
def test_what_an_instruction_hardly_changed_comes_back_bit_for_bit(
    obeys: Pipeline, size: tuple[int, int]
) -> None:
    shape = (size[1], size[0], 3)
    own = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    picture = Image.fromarray(own)
    drawn = pixels(obeys, picture)
    kept = pixels(obeys, picture, mask=mz.relevant(0.95))
    same = (kept == own).all(-1)
    assert 0.02 < same.mean() < 0.95
    assert (drawn == own).all(-1).mean() < 0.01
    assert (kept >= np.minimum(own, drawn)).all()
    assert (kept <= np.maximum(own, drawn)).all()
    assert np.array_equal(pixels(obeys, picture, mask=mz.relevant(0)), drawn)


def test_a_family_can_do_so_unless_it_is_told_otherwise(obeys: Pipeline) -> None:
    own = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    picture, keeps = Image.fromarray(own), keeping(obeys, 0.6)
    usual = pixels(keeps, picture)
    assert np.array_equal(usual, pixels(obeys, picture, mask=mz.relevant(0.6)))
    assert not np.array_equal(usual, pixels(obeys, picture))
    assert np.array_equal(pixels(keeps, picture, mask=mz.relevant(0)), pixels(obeys, picture))
    painted = mz.box(0, 0, 0.5, 0.5)
    under = pixels(keeps, picture, mask=painted)
    assert np.array_equal(under, pixels(obeys, picture, mask=painted))
    said = keeps.edit(picture, "make it night", seed=3, steps=2).images[0].info["parameters"]
    assert 'Mask: "relevant:0.6"' in said
    plain = obeys.edit(picture, "make it night", seed=3, steps=2).images[0].info["parameters"]
    assert "Mask" not in plain

"""Pictures that are edited: what counts of them, and what is refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mezzotint.diffusion import times
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas
from mezzotint.families.editing import inpainting, instructed
from mezzotint.families.recognise import family_of
from mezzotint.families.sizes import flux_presets, sd_presets
from mezzotint.models.unet import UNet
from mezzotint.pipeline.conditioning import tell
from mezzotint.pipeline.guided import Asked, guided
from mezzotint.pipeline.metadata.parameters import read_parameters
from mezzotint.pipeline.metadata.recipe import IMAGE_CFG, taken_apart
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.prompts import DIALECTS, parse

FOX = "a fox in the snow at night"
PIXELS = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS)
MASK = Image.new("L", PICTURE.size)
MASK.paste(255, (8, 8, 32, 24))


def editing(tiny: Pipeline, made, channels: int) -> Pipeline:
    """The tiny pipeline with a wider network at random weights."""
    model = tiny.model
    network = UNet(replace(model.network.params, channels_in=channels)).eval()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for weight in network.parameters():
            torch.nn.init.normal_(weight, mean=float(weight.ndim == 1), std=0.1)
    family = made(model.family)
    latents = {"latent_mean": model.latent_mean + 0.2, "latent_std": 2 * model.latent_std}
    return Pipeline(replace(model, family=family, network=network, **latents), made.__name__)


@pytest.fixture(scope="module")
def paints(tiny: Pipeline) -> Pipeline:
    """Inpainting."""
    return editing(tiny, inpainting, 9)


@pytest.fixture(scope="module")
def obeys(tiny: Pipeline) -> Pipeline:
    """InstructPix2Pix."""
    return editing(tiny, instructed, 8)


def latents(pipe: Pipeline, picture: Image.Image = PICTURE, **options) -> torch.Tensor:
    return pipe.edit(picture, FOX, **({"seed": 3, "steps": 4} | options)).latents


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (replace(sd_presets.SD15_UNET, channels_in=9), "sd1-inpainting"),
        (replace(sd_presets.SD21_UNET, channels_in=9), "sd2-inpainting"),
        (replace(sd_presets.SDXL_UNET, channels_in=9), "sdxl-inpainting"),
        (replace(sd_presets.SD15_UNET, channels_in=8), "sd1-instruct"),
        (replace(sd_presets.SDXL_UNET, channels_in=8), "sdxl-instruct"),
        (replace(sd_presets.SD15_UNET, channels_in=9, guided=True), "sd1-inpainting-lcm"),
        (sd_presets.SD15_UNET, "sd1"),
        (replace(sd_presets.SD15_UNET, channels_in=5), "sd1"),
        (flux_presets.FLUX_FILL, "flux-fill"),
        (flux_presets.FLUX_DEV, "flux-dev"),
    ],
)
def test_families_are_told_by_what_their_networks_take(network, name: str):
    assert family_of(network, []).name == name


def test_what_is_under_the_mask_does_not_matter(paints: Pipeline):
    changed = PICTURE.copy()
    changed.paste((255, 0, 0), (8, 8, 32, 24))
    assert torch.equal(latents(paints, mask=MASK), latents(paints, changed, mask=MASK))
    assert not torch.equal(
        latents(paints, mask=MASK, strength=0.5), latents(paints, changed, mask=MASK, strength=0.5)
    )
    changed.putpixel((40, 30), (255, 0, 0))  # beside it
    assert not torch.equal(latents(paints, mask=MASK), latents(paints, changed, mask=MASK))


def test_a_mask_is_white_where_it_is_nearer_to_white(paints: Pipeline):
    soft = MASK.point(lambda value: 128 if value else 127)
    assert torch.equal(latents(paints, mask=MASK), latents(paints, mask=soft))
    everywhere = MASK.point(lambda value: 128)
    assert not torch.equal(latents(paints, mask=MASK), latents(paints, mask=everywhere))


def test_the_less_strength_the_nearer_to_the_picture(paints: Pipeline):
    model = paints.model
    with torch.no_grad():
        image = torch.tensor(PIXELS).permute(2, 0, 1)[None] / 127.5 - 1
        own = model.encode_images(image)
    first = {
        strength: next(paints.stream_edit(PICTURE, FOX, mask=MASK, steps=10, strength=strength))
        for strength in (1.0, 0.5, 0.1)
    }
    assert [step.total for step in first.values()] == [10, 5, 1]
    grid = times(model.family.process, 10, model.family.spacing)
    assert [float(step.t) for step in first.values()] == pytest.approx(grid[[1, 6, 10]].tolist())
    nearly = paints.edit(PICTURE, FOX, mask=MASK, steps=1000, strength=0.001, cfg=1).latents
    assert (nearly - own).abs().max() < 0.1 * own.abs().max()


def test_an_image_of_a_batch_is_the_image_made_alone(paints: Pipeline, obeys: Pipeline):
    for pipe, told in ((paints, {"mask": MASK, "strength": 0.5}), (obeys, {})):
        batch = latents(pipe, batch=2, **told)
        assert torch.equal(batch[1:], latents(pipe, seed=4, **told))


def test_guidance_by_text_and_picture_is_equation_3(obeys: Pipeline):
    """Of Brooks et al. 2211.09800, from the network's three answers."""
    model, canvas = obeys.model, Canvas(32, 48)
    away, text = (model.encode_prompts([prompt], canvas) for prompt in ("", FOX))
    edit = torch.randn(1, 4, 8, 12)
    x, t = torch.randn(1, 4, 8, 12), torch.tensor(0.7, dtype=torch.float64)

    def answer(told, beside) -> torch.Tensor:
        network = model.network_for(replace(told, beside=beside))
        return x - t.float() * network(x, t)  # x̂₀ of a flow

    dialect, grid = DIALECTS["diffusers"], times(model.family.process, 4)
    told, negative = (
        tell(model, parse(prompt, 4, dialect, set(), False), dialect, canvas)
        for prompt in (FOX, "")
    )
    with torch.no_grad():
        none, seen = answer(away, torch.zeros_like(edit)), answer(away, edit)
        both = answer(text, edit)
        for cfg, image_cfg in ((7.5, 1.5), (3.0, 0.0), (1.0, 2.0), (4.0, 1.0)):
            asked = Asked(told, negative[0], cfg, None, edit, image_cfg)
            ours = guided(model, asked, grid, lambda progress: None)(x, t)
            expected = none + image_cfg * (seen - none) + cfg * (both - seen)
            torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)


def test_an_instruction_sees_unscaled_latents(obeys: Pipeline):
    model = obeys.model
    image = torch.rand(1, 3, 32, 48) * 2 - 1
    with torch.no_grad():
        beside = model.family.beside.channels(model, image, None)
        mean, _ = model.autoencoder.encode(image)
    torch.testing.assert_close(beside, mean, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("change", [{"image_cfg": 1.4}, {"cfg": 2.0}, {"negative": "an apple"}])
def test_what_is_asked_of_an_instruction_is_heard(obeys: Pipeline, change):
    assert not torch.equal(latents(obeys, cfg=3.0), latents(obeys, **({"cfg": 3.0} | change)))
    # guided by the picture alone, there is a negative prompt as well
    alone = {"cfg": 1.0} | ({} if "cfg" in change else change)
    if alone != {"cfg": 1.0}:
        assert not torch.equal(latents(obeys, cfg=1.0), latents(obeys, **alone))


def test_files_are_read(paints: Pipeline, tmp_path):
    PICTURE.save(tmp_path / "a.png")
    MASK.convert("RGB").save(tmp_path / "m.png")
    found = latents(paints, str(tmp_path / "a.png"), mask=tmp_path / "m.png")
    assert torch.equal(found, latents(paints, mask=MASK))


def test_metadata_do_not_claim_that_the_recipe_is_all(obeys: Pipeline, tiny: Pipeline):
    picture = obeys.edit(PICTURE, FOX, steps=1, image_cfg=1.2).images[0]
    text = picture.info["parameters"]
    assert taken_apart(text).fields[IMAGE_CFG] == "1.2"
    assert any("picture that it began with" in miss for miss in read_parameters(text).misses)
    plain = tiny.generate(FOX, steps=1).images[0].info["parameters"]
    assert read_parameters(plain).misses == ()


def test_checkpoints_for_editing_draw_nothing_from_a_prompt_alone(paints: Pipeline):
    with pytest.raises(InputError, match=r"checkpoint for inpainting.*pipe\.edit"):
        paints.generate(FOX)


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        ("paints", {}, "inpainting needs a mask"),
        ("paints", {"mask": MASK.resize((48, 48))}, "the mask is 48x48, the picture 48x32"),
        ("paints", {"mask": Image.new("L", (48, 32), 127)}, "the mask is black all over"),
        ("paints", {"mask": "none.png"}, "cannot read picture none.png"),
        ("paints", {"mask": MASK, "image_cfg": 1.5}, "image_cfg 1.5: not for inpainting"),
        ("paints", {"mask": MASK, "strength": float("nan")}, "strength nan"),
        ("paints", {"mask": MASK, "strength": 0.2, "steps": 4}, "strength 0.2 of 4 steps"),
        ("paints", {"mask": MASK, "width": 1_000_000}, "width 1000000"),
        ("obeys", {"source": "a fox"}, "source: not with edits by instruction"),
        ("paints", {"mask": MASK, "instruct": True}, "load storybook-instruct"),
        ("obeys", {"image_cfg": -1}, "image_cfg -1"),
        ("obeys", {"steps": 0}, "steps 0"),
    ],
)
def test_bad_input_is_one_line(request, kind: str, options, says: str):
    with pytest.raises(InputError, match=re.escape(says)) as error:
        request.getfixturevalue(kind).stream_edit(PICTURE, FOX, **options)
    assert "\n" not in str(error.value)

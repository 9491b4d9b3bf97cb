"""What A1111 writes, as its pictures have it."""

import re

import pytest

from mezzotint.diffusion import SPACINGS
from mezzotint.diffusion.samplers import SAMPLERS
from mezzotint.errors import InputError
from mezzotint.pipeline.metadata import parse
from mezzotint.pipeline.metadata.names import (
    A1111_SPACINGS,
    COMFYUI_SAMPLERS,
    COMFYUI_SPACINGS,
    SAMPLER_LABELS,
    SPACING_LABELS,
)
from mezzotint.pipeline.metadata.parameters import MAX_MISSES, read_parameters
from mezzotint.pipeline.request import MAX_SEED

CASTLE = (
    "a castle, masterpiece <lora:stone:0.8>\nNegative prompt: lowres,\nbad\n"
    "Steps: 28, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x768, "
    "Model hash: 6ce0161689, Model: v1-5, VAE: vae-ft.pt, "
    'Lora hashes: "stone: 1ab, moss: 2cd", Version: v1.10.1'
)


def field(name: str, value: str, text: str = CASTLE) -> str:
    """The text with a field set."""
    bare = re.sub(rf"{re.escape(name)}: [^,]+, ", "", text)
    return bare.replace("CFG scale:", f"{name}: {value}, CFG scale:")


def misses(text: str) -> str:
    return "\n".join(read_parameters(text).misses)


def test_a_picture_of_a1111():
    reading = read_parameters(CASTLE)
    recipe = reading.recipe
    assert recipe.prompt == "a castle, masterpiece <lora:stone:0.8>"
    assert recipe.negative == "lowres,\nbad"
    assert (recipe.steps, recipe.cfg, recipe.seed) == (28, 7.0, 1234)
    assert (recipe.sampler, recipe.width, recipe.height) == ("euler_ancestral", 512, 768)
    assert (recipe.noise, recipe.dialect, recipe.model) == ("a1111", "a1111", "v1-5")
    assert reading.tool == "A1111 v1.10.1"
    assert reading.needs == (
        "model 'v1-5' (hash 6ce0161689)",
        "VAE 'vae-ft.pt'",
        "LoRA 'stone: 1ab'",
        "LoRA 'moss: 2cd'",
    )
    assert parse(CASTLE) == recipe


@pytest.mark.parametrize(
    ("sampler", "schedule", "ours"),
    [
        ("DPM++ 2M Karras", None, ("dpmpp_2m", "karras")),  # before 1.9
        ("DPM++ 2M", "Karras", ("dpmpp_2m", "karras")),
        ("dpm++ 2m", "Exponential", ("dpmpp_2m", "exponential")),
        ("Euler", None, ("euler", "linspace")),
        ("Euler", "Automatic", ("euler", "linspace")),
        ("Euler", "SGM Uniform", ("euler", "trailing")),
        ("DDIM", None, ("ddim", "leading")),
        ("DDIM", "Karras", ("ddim", "leading")),
        ("dpmpp_2m", "Karras", ("dpmpp_2m", "karras")),  # other tools' names in A1111's layout
    ],
)
def test_names_before_and_after_version_1_9(sampler: str, schedule: str | None, ours):
    text = field("Sampler", sampler)
    text = field("Schedule type", schedule, text) if schedule else text
    recipe = parse(text)
    assert (recipe.sampler, recipe.spacing) == ours


def test_names_that_we_map_to_are_ours():
    samplers = {*SAMPLER_LABELS, *COMFYUI_SAMPLERS.values()}
    spacings = {*SPACING_LABELS, *A1111_SPACINGS.values(), *COMFYUI_SPACINGS.values()}
    assert samplers <= SAMPLERS.keys()
    assert spacings <= SPACINGS.keys()


@pytest.mark.parametrize(
    ("fields", "noise"),
    [
        ({}, "a1111"),
        ({"RNG": "NV"}, "a1111"),
        ({"RNG": "CPU"}, "a1111_cpu"),
        ({"ENSD": "31337"}, "a1111+31337"),
        ({"ENSD": "31337", "Sampler": "Euler"}, "a1111"),  # it draws no further noise
        ({"Sampler": "DPM++ 2M SDE"}, "mezzotint"),  # a Brownian tree
    ],
)
def test_whose_noise(fields: dict[str, str], noise: str):
    text = CASTLE
    for name, value in fields.items():
        text = field(name, value, text)
    assert parse(text).noise == noise


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("Sampler", "DPM adaptive", "sampler 'DPM adaptive': there is none"),
        ("Sampler", "DPM++ 2M SDE", "Brownian"),
        ("Sampler", "DPM2", "last noise level but one"),
        ("Schedule type", "KL Optimal", "schedule 'KL Optimal': there is none"),
        ("Schedule type", "Beta", "schedule 'Beta': it spaces noise levels"),
        ("Denoising strength", "0.6", "the picture that it began with (denoising strength 0.6)"),
        ("Variation seed", "5", "Variation seed: 5"),
        ("Seed resize from", "512x512", "Seed resize from: 512x512"),
        ("ControlNet 0", "canny", "ControlNet 0: canny"),
        ("Seed", str(MAX_SEED + 1), "they go to"),
        ("Size", "1024x1024", "65,536 numbers a GPU with fewer threads"),
        ("Something new (3)", "yes", "Something new (3): yes"),
    ],
)
def test_what_cannot_be_matched_is_said(name: str, value: str, says: str):
    assert says in misses(field(name, value))
    assert says not in misses(CASTLE)


def test_what_is_as_usual_is_not():
    exact = field("Schedule type", "Karras")
    assert misses(exact) == ""
    assert "stronger there, by 0.2%" in misses(field("SGM noise multiplier", "True", exact))
    ddim = field("Sampler", "DDIM", field("Steps", "25"))
    assert misses(ddim) == ""
    assert "unless the steps divide 1000" in misses(field("Steps", "30", ddim))
    assert misses(field("Clip skip", "2", exact)) == ""
    assert parse(field("Clip skip", "2", exact)).clip_skip == 2
    assert misses(field("Batch pos", "1", field("Batch size", "4", exact))) == ""
    assert parse(field("Batch size", "4", exact)).batch == 1  # its seed is its own
    assert "threads" not in misses(field("RNG", "NV", field("Size", "1024x1024", exact)))


def test_hires_fix_is_one_thing():
    text = field("Denoising strength", "0.5", field("Sampler", "DDIM", field("Steps", "20")))
    text = field("Hires upscaler", "Latent", field("Hires upscale", "2", text))
    assert misses(text) == "hires fix, a second pass (Hires upscale: 2, Hires upscaler: Latent)"


def test_flux_in_forge_has_its_guidance():
    assert parse(field("Distilled CFG Scale", "3.5")).guidance == 3.5


def test_what_extensions_write_after_the_settings_is_left():
    after = "\nTemplate: a {castle|house}\nNegative Template: low"
    assert parse(CASTLE + after) == parse(CASTLE)


def test_many_misses_are_counted():
    text = CASTLE
    for k in range(100):
        text = field(f"X{k}", "y" * 1000, text)
    found = read_parameters(text).misses
    assert len(found) == MAX_MISSES + 1
    assert found[-1].startswith("and ")
    assert max(map(len, found)) <= 200


def test_bad_texts_are_one_line_and_soon():
    long = ("{", "a", "a, ", "a: ", 'a: ", ', '"', "\\", "Steps: \n")
    for text in (
        field("Seed", "x"),
        field("Size", "9"),
        '\nSteps: 1, Sampler: "\\x"',
        *(piece * (2**20 // len(piece)) for piece in long),
    ):
        with pytest.raises(InputError, match="recipe is not complete") as caught:
            parse(text)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300

"""A recipe survives being written into a picture, whatever its prompt."""

import json
import re
from dataclasses import replace
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.pipeline.metadata import Recipe, attach, parse, png, read, render
from mezzotint.pipeline.metadata.names import SAMPLER_LABELS, SPACING_LABELS

FOX = Recipe(
    prompt="a fox in the snow at night",
    negative="",
    steps=20,
    sampler="dpmpp_2m",
    spacing="karras",
    cfg=5.0,
    seed=7,
    width=128,
    height=128,
    model="",
    model_hash="0123456789",
    version="0.1.0",
)

# pieces that the format itself is made of, among text of every script
pieces = st.one_of(
    st.sampled_from(["\n", "Negative prompt:", " ", '"', "\\", ",", "Steps: 3, Seed: 4", "\r"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
)
texts = st.lists(pieces, max_size=6).map("".join)
names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)
recipes = st.builds(
    Recipe,
    prompt=texts,
    negative=texts,
    steps=st.integers(1, 1000),
    sampler=st.sampled_from([*SAMPLER_LABELS, "deis", "a_new_one"]),
    spacing=st.sampled_from([*SPACING_LABELS, "trailing"]),
    cfg=st.floats(0, 100),
    seed=st.integers(0, 2**64 - 1),
    clip_skip=st.none() | st.integers(1, 12),
    prompts=st.dictionaries(st.sampled_from(["text", "text_2"]), st.text(max_size=20)).map(
        lambda table: tuple(sorted(table.items()))
    ),
    width=st.integers(1, 4096),
    height=st.integers(1, 4096),
    model=texts,
    model_hash=names,
    version=names,
    noise=st.sampled_from(["mezzotint", "a1111+31337", "comfyui"]),
    dialect=st.sampled_from(["mezzotint", "a1111"]),
    guidance=st.none() | st.floats(0, 100),
    cfg_interval=st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)),
    adapters=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9))).map(tuple),
    dtype=st.sampled_from(["fp32", "bf16", "torch.float64"]),
    engine=st.sampled_from(["eager", "openvino-int8", "auto"]),
)
of_a_batch = st.builds(
    lambda recipe, place, more: replace(recipe, place=place, batch=place + more),
    recipes,
    st.integers(0, 9),
    st.integers(2, 9),
)


@given(recipes | of_a_batch)
def test_what_was_rendered_is_parsed_back(recipe: Recipe):
    assert parse(render(recipe)) == recipe


@given(recipes)
def test_a_png_carries_its_recipe(recipe: Recipe):
    picture = Image.new("RGB", (2, 2))
    attach(recipe, picture)
    assert parse(picture.info["parameters"]) == recipe
    with Image.open(BytesIO(png(picture))) as again:
        assert parse(again.info["parameters"]) == recipe


def as_the_web_ui_reads(text: str) -> dict[str, str]:
    """What AUTOMATIC1111's `parse_generation_parameters` makes of a text, written from its docs."""
    *lines, settings = text.strip().split("\n")
    negative = next(
        (k for k, line in enumerate(lines) if line.startswith("Negative prompt:")), None
    )
    fields = {
        name: json.loads(value) if value[0] == '"' else value
        for name, value in re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)', settings)
    }
    fields["Prompt"] = "\n".join(lines[:negative])
    if negative is not None:
        fields["Negative prompt"] = "\n".join(lines[negative:])[len("Negative prompt:") :].strip()
    return fields


def test_other_tools_understand_it():
    recipe = replace(FOX, negative="blur, rain\nfog", model="my model, v2", seed=0)
    assert as_the_web_ui_reads(render(recipe)) == {
        "Prompt": FOX.prompt,
        "Negative prompt": "blur, rain\nfog",
        "Steps": "20",
        "Sampler": "DPM++ 2M",
        "Schedule type": "Karras",
        "CFG scale": "5.0",
        "Seed": "0",
        "Size": "128x128",
        "Model hash": "0123456789",
        "Model": "my model, v2",
        "Version": "mezzotint 0.1.0",
    }


def test_recipes_of_the_first_version_are_read_as_ever():
    """Which said nothing of noise, batch, dialect and guidance."""
    text = "a fox in the snow at night\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, "
    text += "CFG scale: 5.0, Seed: 7, Size: 128x128, Model hash: 0123456789, "
    text += 'Model: "", Version: mezzotint 0.1.0'
    assert parse(text) == FOX
    assert render(FOX) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a fox",
        "a fox\nSteps: 20",
        render(FOX).replace("Size: 128x128", "Size: wide"),
        render(FOX).replace("Steps: 20", "Steps: many"),
        render(FOX).replace("Model hash: 0123456789", r'Model hash: "\x"'),
        *(
            render(FOX).replace("CFG scale: 5.0", f"CFG scale: {x}")
            for x in ("nan", "inf", "1e999")
        ),
        *(render(replace(FOX, cfg_interval=x)) for x in ((float("nan"), 1.0), (0.0, float("inf")))),
        render(replace(FOX, guidance=float("inf"))),
        render(FOX).replace("Size: 128x128", f"Size: {'9' * 3000}x128"),
        render(replace(FOX, seed=10**21)),
        *(f'{render(FOX)}, {name}: "{"[" * 100_000}"' for name in ("Prompts", "Adapters")),
    ],
)
def test_half_a_recipe_is_refused(text: str):
    with pytest.raises(InputError, match="recipe is not complete") as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_half_a_pair_of_surrogates_is_replaced():
    """No file can hold one: JSON can name it."""
    written = render(replace(FOX, prompt="Negative prompt: Q", prompts=(("text", "Q"),)))
    found = parse(written.replace("Q", r"a \ud83e\udd8a, half of one \ud83e"))
    assert found.prompt == "Negative prompt: a 🦊, half of one ?"
    assert parse(written.replace('\\"Q', r"\"\\ud800")).prompts == (("text", "?"),)


def test_files_without_a_recipe_are_refused_by_name(tmp_path):
    bare, text, short = (tmp_path / name for name in ("bare.png", "text.png", "short.png"))
    Image.new("RGB", (2, 2)).save(bare)
    text.write_text("not a picture")
    short.write_bytes(bare.read_bytes()[:20])
    for path, message in [
        (bare, "has no `parameters` text"),
        (text, "is not a PNG, JPEG or WebP picture"),
        (short, "is not a PNG picture that can be read"),
        (tmp_path / "none.png", "No such file"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            read(path)
        assert path.name in str(caught.value)

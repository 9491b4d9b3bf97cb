"""What cannot be drawn is refused in one line that names it, before any work."""

import inspect
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezzotint.errors import InputError
from mezzotint.pipeline.request import MAX_SEED, RANDOM_SEEDS, Options, complete


def test_the_family_fills_in_what_is_left_out(tiny_model):
    family = tiny_model.family
    request = complete(family, "a fox")
    assert (request.steps, request.cfg) == (family.steps, family.cfg)
    assert (request.width, request.height) == (family.size, family.size)
    assert (request.sampler, request.spacing) == (family.sampler, family.spacing)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, ["steps 0", "1 to 1000"]),
        ({"steps": -3}, ["steps -3"]),
        ({"steps": 1001}, ["steps 1001"]),
        ({"steps": 2.5}, ["steps 2.5", "whole"]),
        ({"cfg": math.nan}, ["cfg nan", "0 to 100"]),
        ({"cfg": math.inf}, ["cfg inf"]),
        ({"cfg": -1.0}, ["cfg -1"]),
        ({"cfg": 1e38}, ["cfg 1e+38"]),
        ({"cfg_interval": (0.8, 0.1)}, ["cfg_interval 0.8:0.1", "0 to 1"]),
        ({"cfg_interval": (0.5, 0.5)}, ["cfg_interval 0.5:0.5"]),
        ({"cfg_interval": (-0.1, 0.5)}, ["cfg_interval -0.1:0.5"]),
        ({"cfg_interval": (0.0, 8.0)}, ["cfg_interval 0:8"]),
        ({"cfg_interval": (0.0, math.nan)}, ["cfg_interval 0:nan"]),
        ({"seed": -2}, ["seed -2", f"0 to {MAX_SEED}"]),
        ({"seed": 2**64}, [f"seed {2**64}", f"0 to {MAX_SEED}"]),
        ({"seed": MAX_SEED, "batch": 2}, [f"seed {MAX_SEED}", f"0 to {MAX_SEED - 1}"]),
        ({"batch": 0}, ["batch 0"]),
        ({"width": 33}, ["width 33", "16 to 64", "multiples of 4"]),
        ({"height": 8}, ["height 8", "16 to 64"]),
        ({"width": 1_000_000}, ["width 1000000"]),
        ({"sampler": "dpmpp_2n"}, ["unknown sampler 'dpmpp_2n'", "did you mean 'dpmpp_2m'"]),
        ({"spacing": "carras"}, ["unknown spacing 'carras'", "did you mean 'karras'"]),
        ({"negative": "\udcff"}, ["negative prompt", "UTF-8", "character 1"]),
        ({"negative": "ab\0"}, ["negative prompt", "NUL", "character 3"]),
    ],
)
def test_what_cannot_be_drawn_is_refused(tiny_model, options, words):
    with pytest.raises(InputError) as caught:
        complete(tiny_model.family, "a fox", **options)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "\n" not in str(caught.value)


def test_a_misspelt_option_is_an_error(tiny):
    with pytest.raises(TypeError, match="stepz"):
        tiny.generate("a fox", stepz=3)


def test_options_are_those_of_the_signature():
    assert Options.__annotations__.keys() == set(inspect.signature(complete).parameters) - {
        "family",
        "prompt",
    }


@given(batch=st.integers(1, 50), seed=st.sampled_from([None, -1]))
def test_a_random_seed_leaves_room_for_the_batch(tiny_model, batch, seed):
    request = complete(tiny_model.family, "a fox", seed=seed, batch=batch)
    assert 0 <= request.seed <= request.seed + batch - 1 < RANDOM_SEEDS


def test_random_seeds_differ(tiny_model):
    assert len({complete(tiny_model.family, "").seed for _ in range(20)}) > 10


@given(prompt=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_every_text_is_a_prompt(tiny_model, prompt):
    assert complete(tiny_model.family, prompt).prompt == prompt

"""Recipes that cannot be trained are refused before anything begins."""

import math

import pytest

from mezzotint.errors import InputError
from mezzotint.training.limits import check
from mezzotint.training.presets import RECIPES
from mezzotint.training.resolve import resolve


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_preset_can_be_trained(name: str):
    check(RECIPES[name])


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("clip", {"task": {"text_run": ""}}, "task.rivals 4096: .* learns along .* give 0"),
        ("clip", {"steps": 0}, "steps 0: give a number of 1 or more"),
        ("clip", {"batch": -1}, "batch -1"),
        ("clip", {"log_every": 0}, "log_every 0"),
        ("clip", {"seed": -1}, "seed -1: give a number of 0 or more"),
        ("clip", {"lr": math.nan}, "lr nan"),
        ("clip", {"lr": math.inf}, "lr inf"),
        ("clip", {"ema": 1.5}, "ema 1.5: give a number from 0 to 1"),
        ("clip", {"betas": (0.9, 1.0)}, r"betas \[0.9, 1.0\]"),
        ("clip", {"pictures": {"size": 64}}, "pictures.size 64: task.vision takes 128"),
        ("clip", {"pictures": {"single": 10**6}}, "pictures.single 1000000"),
        ("autoencoder", {"pictures": {"size": 100}}, "size 100: give a multiple of 8"),
        ("autoencoder", {"task": {"crop": 60}}, "crop 60: give a multiple of 8"),
        ("autoencoder", {"task": {"crop": 512}}, "crop 512: pictures.size is only 256"),
        ("autoencoder", {"task": {"whole_share": 2.0}}, "task.whole_share 2.0"),
        ("denoiser", {"pictures": {"size": 0}}, "pictures.size 0"),
        ("denoiser", {"pictures": {"size": 100}}, "size 100: give a multiple of 16"),
        ("flow", {"pictures": {"size": 72}}, "size 72: give a multiple of 32"),
        ("denoiser", {"task": {"prompts": []}}, "task.prompts is empty"),
    ],
)
def test_what_cannot_be_trained_is_named(name: str, fields, says: str):
    with pytest.raises(InputError, match=rf"recipe '{name}': .*{says}") as caught:
        resolve(name, fields)
    assert "\n" not in str(caught.value)


def test_the_middle_of_the_times_may_be_on_either_side():
    assert resolve("denoiser", {"task": {"times_mean": -0.5}}).task.times_mean == -0.5

"""The studio with a model that takes instructions and puts back what it hardly changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from atelier import drawn, finished, pixels, told
from PIL import Image

import mezzotint as mz
from mezzotint.families.base import Model
from mezzotint.families.storybook import obeying
from mezzotint.models.unet import UNet
from mezzotint.pipeline.pipeline import Pipeline


@pytest.fixture(scope="module")
def pipe(tiny_model: Model) -> Pipeline:
    """The tiny model, as if it had learnt to obey."""
    torch.manual_seed(0)
    network = UNet(replace(tiny_model.network.params, channels_in=8)).eval()
    family = obeying(tiny_model.family)
    return Pipeline(replace(tiny_model, network=network, family=family), "obeys")


def test_what_it_does_by_itself_can_be_left(studio, address, pipe, tmp_path: Path):
    own = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(own).save(tmp_path / "own.png")
    studio.set_input_files("#start", tmp_path / "own.png")
    studio.locator("#brush canvas").wait_for()
    assert studio.is_checked("#relevant")
    studio.fill("#prompt", "make it night")
    for mask in ("relevant", "relevant:0"):
        studio.set_checked("#relevant", mask == "relevant")
        [edited] = drawn(studio, seed=4)
        assert told(address, f"pictures/{edited}")["settings"]["mask"] == mask
        share = mz.relevant() if mask == "relevant" else mz.relevant(0)
        picture = Image.fromarray(own)
        true = pipe.edit(picture, "make it night", mask=share, steps=2, seed=4).images[0]
        assert np.array_equal(pixels(address, edited), np.asarray(true))
    for count, again in ((3, ":checked"), (4, ":not(:checked)")):  # as the one before the newest
        studio.locator(".tile .open").nth(1).click()
        studio.click("#opened-again")
        studio.locator(f"#relevant{again}").wait_for()
        studio.locator(".tile").nth(count - 1).wait_for()
        finished(studio)

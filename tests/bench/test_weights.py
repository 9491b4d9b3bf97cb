"""What a step computes, against closed forms; a model that is made draws."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import mezzotint as mz
from mezzotint.bench.shapes import SHAPES
from mezzotint.bench.weights import SEED, Parts, counted, parts, step_work, write_model
from mezzotint.diffusion.noise import source
from mezzotint.nn.attention import PixelAttention

TINY = SHAPES["tiny"]


def test_products_and_convolutions_are_counted_apart():
    def made():
        x, conv, linear = torch.empty(2, 3, 8, 8), nn.Conv2d(3, 5, 3, padding=1), nn.Linear(8, 4)
        return lambda: (conv(x), linear(x))

    work = counted(made)
    assert work.convolutions == 2 * 2 * 64 * 9 * 3 * 5
    assert work.products == 2 * (2 * 3 * 8) * 8 * 4


@pytest.mark.parametrize("side", [16, 32])
def test_attention_is_counted_whatever_computes_it(side: int):
    """Whole or in parts, its two products are of n² scores: a kernel of our own must not hide."""
    n, width = side**2, 32

    def made():
        attention, x = PixelAttention(width, 8, 1e-6), torch.empty(1, width, side, side)
        return lambda: attention(x)

    products = counted(made).products
    assert products == 2 * 4 * n * width**2 + 2 * 2 * n**2 * width


def test_guidance_by_two_prompts_doubles_a_step():
    alone = replace(TINY, guided=False)
    both, one = (step_work(shape, parts("tiny", True)) for shape in (TINY, alone))
    assert both.products == pytest.approx(2 * one.products, rel=0.01)
    assert both.convolutions == 2 * one.convolutions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("bench")
    write_model(folder, TINY, parts("tiny", True))
    return folder


def test_a_model_that_is_made_draws_a_picture_that_is_no_single_grey(folder):
    pipe = mz.load(folder / "model", device="cpu")
    step = next(pipe.stream("a fox", steps=2, seed=SEED, width=64, height=64, noise="diffusers"))
    picture = np.asarray(step.preview()[0], np.float64)
    assert 20 < picture.std() < 110


def test_the_noise_is_what_a_picture_of_ours_begins_with(folder):
    noise = np.load(folder / "noise.npy")
    assert noise.shape == (1, 4, 8, 8)
    mine = source("diffusers", SEED)(torch.empty(1, 4, 8, 8)).numpy()
    np.testing.assert_array_equal(noise, mine)


def test_every_shape_has_its_parts():
    assert all(isinstance(parts(name, whole), Parts) for name in SHAPES for whole in (True, False))
    few, all_ = (parts("flux", whole).network for whole in (False, True))
    assert (few.width, few.joint_blocks) == (all_.width, 2)

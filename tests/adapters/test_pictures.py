"""Pictures of every depth become those of eight bits that they look like."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mezzotint.adapters.maps import edges, is_edges
from mezzotint.adapters.pictures import for_clip, on_white, opened, resized
from mezzotint.errors import InputError

GREY = np.linspace(0, 255, 48 * 32).round().astype(np.uint8).reshape(32, 48)
SHALLOW, DEEP = Image.fromarray(GREY), Image.fromarray(GREY.astype(np.uint16) * 257)


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_deep_grey_is_not_clipped(tmp_path: Path, kind: str):
    DEEP.save(tmp_path / f"deep.{kind}")
    whole = opened(tmp_path / f"deep.{kind}")
    assert np.array_equal(np.asarray(whole), GREY)
    assert np.array_equal(np.asarray(opened(DEEP)), GREY)


def test_what_reads_a_picture_reads_deep_grey_as_it_looks():
    white = Image.new("L", DEEP.size, "white")
    for deep, shallow, clipped in (
        [resized(each, 24, 16) for each in (DEEP, SHALLOW, white)],
        [for_clip(each, 16) for each in (DEEP, SHALLOW, white)],
    ):
        assert torch.equal(deep, shallow)
        assert not torch.equal(deep, clipped)
    drawn = edges(Image.fromarray(np.kron(GREY[::8, ::8], np.ones((8, 8), np.uint8))))
    assert is_edges(drawn)
    deep = Image.fromarray(np.asarray(drawn)[..., 0].astype(np.uint16) * 257)
    assert is_edges(deep)
    assert not is_edges(DEEP)
    assert np.array_equal(np.asarray(edges(deep)), np.asarray(edges(drawn)))


def test_floating_point_is_refused(tmp_path: Path):
    Image.fromarray(GREY.astype(np.float32) / 255).save(tmp_path / "depth.tif")
    with pytest.raises(InputError, match=r"depth.tif is of mode F: save it with 8 bits a channel"):
        opened(tmp_path / "depth.tif")
    for read in (opened, on_white, edges, is_edges):
        with pytest.raises(InputError, match="the picture is of mode F"):
            read(Image.new("F", (8, 8)))


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (2, 1), (9, 9, 9, 0))
    clear.putpixel((1, 0), (10, 20, 30, 255))
    assert np.asarray(on_white(clear)).tolist() == [[[255] * 3, [10, 20, 30]]]
    indexed = Image.new("P", (1, 1), 3)
    indexed.info["transparency"] = 3
    assert on_white(indexed).getpixel((0, 0)) == (255, 255, 255)
    assert np.array_equal(np.asarray(on_white(DEEP))[..., 0], GREY)
    for mode in ("1", "L", "LA", "CMYK"):
        assert on_white(Image.new(mode, (3, 2))).mode == "RGB"

"""Maps for ControlNets: edges are where colours change, boxes are where they were asked for."""

import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mezzotint.adapters.maps import depth_map, edges, is_edges, layout
from mezzotint.errors import InputError
from mezzotint.world.boxes import box_map

SIDES = st.floats(-0.2, 1.2)


def photo(seed: int = 0) -> Image.Image:
    """Soft colours with one hard-edged rectangle."""
    rng = np.random.default_rng(seed)
    soft = Image.fromarray(rng.integers(60, 190, (6, 8, 3), np.uint8))
    picture = soft.resize((96, 64), Image.Resampling.BICUBIC)
    picture.paste((250, 20, 20), (30, 20, 70, 44))
    return picture


def test_edges_are_where_colours_jump() -> None:
    found = np.asarray(edges(photo()))
    assert found.shape == (64, 96, 3)
    assert set(np.unique(found)) == {0, 255}
    rows, columns = np.nonzero(found[..., 0])
    near = [
        min(abs(columns - 30).min(), abs(columns - 70).min()),
        min(abs(rows - 20).min(), abs(rows - 44).min()),
    ]
    assert max(near) <= 1
    inside = found[26:38, 36:64, 0]
    assert not inside.any()
    flat = np.asarray(edges(Image.new("RGB", (32, 32), "green")))
    assert not flat.any()
    assert np.asarray(edges(photo(), 900, 1000)).sum() < found.sum()


def test_a_map_of_edges_is_told_from_a_photograph(tmp_path) -> None:
    drawn = edges(photo())
    assert is_edges(drawn)
    assert is_edges(drawn.convert("1"))
    drawn.save(tmp_path / "map.jpg", quality=85)
    assert is_edges(Image.open(tmp_path / "map.jpg"))
    assert not is_edges(photo())
    assert not is_edges(photo().convert("L"))
    assert not is_edges(drawn.filter(ImageFilter.GaussianBlur(4)).point(lambda v: 4 * v))
    assert not is_edges(Image.new("RGB", (8, 8), "red"))


def test_without_opencv_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"pip install 'mezzotint\[control\]'$"):
        edges(photo())


def test_depth_is_grey_from_black_to_white() -> None:
    ramp = np.linspace(0, 1, 32)[None].repeat(16, 0)
    picture = np.asarray(depth_map(ramp))
    assert picture.shape == (16, 32, 3)
    assert np.abs(picture / 255 - ramp[..., None]).max() <= 0.5 / 255 + 1e-9
    for wrong in (ramp + 0.1, ramp[0], ramp * np.nan):
        with pytest.raises(InputError, match=r"give \(h, w\) in 0…1, 1 nearest"):
            depth_map(wrong)


@given(st.lists(st.tuples(SIDES, SIDES, SIDES, SIDES), max_size=5), st.sampled_from([16, 64, 256]))
def test_boxes_are_drawn_as_the_world_draws_them(corners, size: int) -> None:
    ordered = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    assert said(lambda: np.asarray(layout(ordered, size))) == said(lambda: box_map(ordered, size))


def said(draw: Callable[[], NDArray[np.uint8]]) -> bytes | str:
    """The pixels, or the reason why there are none."""
    try:
        return draw().tobytes()
    except InputError as error:
        return str(error)


def test_a_box_in_a_wide_picture() -> None:
    picture = np.asarray(layout([(0.25, 0.5, 0.75, 1.0)], (256, 128)))
    assert picture.shape == (128, 256, 3)
    rows, columns = np.nonzero(picture[..., 0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (64, 127, 64, 191)
    assert (picture[64, 64:192] == 255).all()
    assert 0 < picture[96, 128, 0] < 255
    with pytest.raises(InputError, match="is not left, top, right, bottom, as fractions"):
        layout([(0.5, 0.1, 0.4, 0.2)], 64)


@pytest.mark.parametrize("odd", [float("inf"), float("nan")])
def test_a_box_has_four_numbers(odd: float) -> None:
    with pytest.raises(InputError, match="is not left, top, right, bottom, as fractions"):
        layout([(0, 0, odd, 1)], 64)
    whole = layout([(0, 0, 1, 1)], 64)
    assert layout([(-1e308, -1e308, 1e308, 1e308)], 64).tobytes() == whole.tobytes()

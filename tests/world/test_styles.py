"""Each style has what it is known by, and the storybook has it not."""

from dataclasses import replace

import numpy as np
import pytest

from mezzotint.world.render import render
from mezzotint.world.scene import STYLES, Scene, Spot, Thing
from mezzotint.world.styles import FILTERS

pytestmark = pytest.mark.usefixtures("tarball")

FOX = Thing("fox", "large", None, None, (Spot(0.5, 0.9, 0.5),))
SCENE = Scene((FOX,), None, "meadow", None, "summer", "day", "clear", "storybook", 7)


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    return {style: render(replace(SCENE, style=style), 256).astype(float) for style in STYLES}


def colours(picture: np.ndarray) -> int:
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def chroma(picture: np.ndarray) -> float:
    return float(np.ptp(picture, axis=2).mean())


def roughness(picture: np.ndarray) -> float:
    """How much neighbouring pixels differ where nothing is drawn: high in the sky."""
    patch = picture[12:40, 110:150].mean(axis=2)
    return float(np.abs(np.diff(patch, axis=1)).mean())


def test_all_are_told_apart(pictures):
    for style, picture in pictures.items():
        others = [pictures[other] for other in STYLES if other != style]
        assert min(np.abs(picture - other).mean() for other in others) > 4, style


def test_filters_are_styles():
    assert set(FILTERS) < set(STYLES)
    assert "storybook" not in FILTERS


def test_pixels_are_square_and_few_coloured(pictures):
    def squares(picture):
        return picture.reshape(64, 4, 64, 4, 3).std(axis=(1, 3)).max()

    assert squares(pictures["pixel"]) == 0
    assert colours(pictures["pixel"]) <= 28
    assert squares(pictures["storybook"]) > 10
    assert colours(pictures["storybook"]) > 1000


def test_flat_has_no_gradients(pictures):
    assert np.unique(pictures["flat"][:40, 128].round(), axis=0).shape[0] < 6
    assert np.unique(pictures["storybook"][:40, 128], axis=0).shape[0] > 15


def test_ink_is_lines_on_pale_paper(pictures):
    ink, plain = pictures["ink"], pictures["storybook"]
    assert chroma(ink) < 0.6 * chroma(plain)
    dark = (ink.max(axis=2) < 90).mean()
    assert 0.02 < dark < 0.35
    assert np.median(ink) > np.median(plain)


def test_neon_glows_on_dark(pictures):
    neon = pictures["neon"]
    assert np.median(neon.max(axis=2)) < 70
    assert (neon.max(axis=2) > 220).mean() > 0.01
    assert np.median(pictures["storybook"].max(axis=2)) > 150


def test_watercolour_is_pale_and_leaves_the_rim_bare(pictures):
    painted, plain = pictures["watercolour"], pictures["storybook"]
    assert painted[:3].mean() > 240
    assert painted[:, -3:].mean() > 240
    assert plain[-3:].mean() < 180
    assert chroma(painted[40:-40, 40:-40]) < chroma(plain[40:-40, 40:-40])


def test_oil_shows_its_strokes_and_keeps_its_colours(pictures):
    oil, plain = pictures["oil"], pictures["storybook"]
    assert roughness(oil) > 3 * roughness(plain)
    blocks = [picture.reshape(16, 16, 16, 16, 3).mean(axis=(1, 3)) for picture in (oil, plain)]
    assert np.abs(blocks[0] - blocks[1]).mean() < 12


def test_paper_throws_shadows_and_has_a_tooth(pictures):
    paper, flat = pictures["paper"], pictures["flat"]
    assert roughness(paper) > roughness(flat) + 0.3
    bare = {
        style: render(replace(SCENE, style=style, things=()), 256).astype(float)
        for style in ("paper", "flat")
    }
    around = np.s_[130:200, 188:196]  # beside the fox, where only its shadow or rim can reach
    assert np.abs(paper - bare["paper"])[around].max() >= np.abs(flat - bare["flat"])[around].max()


@pytest.mark.parametrize("style", sorted(FILTERS))
def test_textures_belong_to_the_variant(style):
    plain = replace(SCENE, things=(), place="plain", background="blue", style=style)
    a, same, b = (render(replace(plain, variant=variant), 256) for variant in (0, 0, 1))
    assert np.array_equal(a, same)
    assert np.array_equal(a, b) == (style in ("neon", "pixel"))  # which have no paper

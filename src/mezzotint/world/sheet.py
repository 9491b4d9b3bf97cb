"""A contact sheet: the pictures of some seeds with their captions, to look at the world."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mezzotint.world.captions import caption
from mezzotint.world.render import render
from mezzotint.world.sample import sample_scene
from mezzotint.world.scene import DENSITIES, Stage

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN, LINES = 8, 5


def contact_sheet(
    seeds: Sequence[int], columns: int = 6, size: int = 256, stage: Stage = "mixed"
) -> "Image":
    """The pictures of ``seeds`` in rows of ``columns``, each with a caption under it.

    Captions take turns: dense, short, bare, tags.
    """
    from PIL import Image, ImageDraw, ImageFont

    height = max(9, size // 18)
    font = ImageFont.load_default(size=height)
    wide, high = size + MARGIN, int(size + LINES * height * 1.25 + MARGIN)
    rows = -(-len(seeds) // columns)
    sheet = Image.new("RGB", (columns * wide + MARGIN, rows * high + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for k, seed in enumerate(seeds):
        scene = sample_scene(seed, stage)
        x, y = MARGIN + k % columns * wide, MARGIN + k // columns * high
        sheet.paste(Image.fromarray(render(scene, size)), (x, y))
        text = caption(scene, seed, DENSITIES[k % len(DENSITIES)])
        lines = textwrap.wrap(text, int(size / height * 1.85))[:LINES]
        draw.text((x, y + size + 2), "\n".join(lines), fill=(60, 60, 66), font=font, spacing=2)
    return sheet

"""Pairs, conditions and views of the storybook world, to look at: `python bench/pairs.py`.

Writes docs/pairs.jpg: a change of each kind with its instruction, the depth and the boxes of what
came of it; then characters in several scenes, second views, and others in a style.
"""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mezzotint.files import write_whole
from mezzotint.world import (
    CHANGES,
    CHARACTERS,
    Scene,
    box_map,
    boxes,
    character_scenes,
    depth,
    in_style_of,
    instruction,
    render,
    sample_change,
    sample_scene,
    second_view,
)

DOCS = Path(__file__).parents[1] / "docs"
MARGIN = 6
Pixels = NDArray[np.uint8]
Tile = Pixels | str


def pair_row(seed: int, kind: int, size: int) -> list[Tile]:
    """Before, after, the instruction, depth and boxes of the change of a seed."""
    change = sample_change(seed, (CHANGES[kind % len(CHANGES)],))
    after = change.after
    near = np.repeat((255 * depth(after, size)).astype(np.uint8)[..., None], 3, axis=-1)
    frames = box_map([box for _, box in boxes(after)], size)
    text = f"{change.kind}:\n{instruction(change, seed)}"
    return [render(change.before, size), render(after, size), text, near, frames]


def view_row(name: str, scenes: Sequence[Scene], size: int) -> list[Tile]:
    """Several scenes in a row, with what they show."""
    return [name, *(render(scene, size) for scene in scenes)]


def sheet(rows: Sequence[Sequence[Tile]], size: int) -> Image.Image:
    """Rows of pictures and words."""
    wide = max(map(len, rows))
    step = size + MARGIN
    picture = Image.new("RGB", (wide * step + MARGIN, len(rows) * step + MARGIN), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=size / 10)
    for j, row in enumerate(rows):
        for k, tile in enumerate(row):
            at = (MARGIN + k * step, MARGIN + j * step)
            if isinstance(tile, str):
                lines = [line for part in tile.split("\n") for line in textwrap.wrap(part, 17)]
                middle = (at[0] + size / 2, at[1] + size / 2)
                draw.text(middle, "\n".join(lines), (40, 40, 46), font, "mm", align="center")
            else:
                picture.paste(Image.fromarray(tile), at)
    return picture


def main() -> None:
    """Write the page's picture."""
    size = 144
    rows = [pair_row(105 + k, k, size) for k in range(len(CHANGES))]
    for k, name in enumerate(CHARACTERS[:3]):
        rows.append(view_row(name, character_scenes(name, 4, k), size))
    for seed in (7, 23):
        scene = sample_scene(seed)
        views = [scene, *(second_view(scene, k) for k in range(3))]
        rows.append(view_row("a scene and second views", views, size))
    scene = next(s for s in map(sample_scene, range(99)) if s.things and s.style == "oil")
    others = [scene, *(in_style_of(scene, k) for k in range(3))]
    rows.append(view_row("a scene and others in its style", others, size))
    half = -(-len(rows) // 2)
    left, right = sheet(rows[:half], size), sheet(rows[half:], size)
    whole = Image.new("RGB", (left.width + right.width, left.height), "white")
    whole.paste(left, (0, 0))
    whole.paste(right, (left.width, 0))
    buffer = io.BytesIO()
    whole.save(buffer, "JPEG", quality=82)
    write_whole(DOCS / "pairs.jpg", buffer.getvalue())
    print(DOCS / "pairs.jpg", f"{buffer.tell() / 1000:.0f} kB")


if __name__ == "__main__":
    main()

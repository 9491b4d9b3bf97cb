"""The pictures that lessons begin with: `python bench/subjects.py`.

Scenes of the storybook world, as large as the embedded model draws, and stored with nothing lost:
what a picture has lost already, no JPEG of it loses again, and lesson 4 compares with one.
"""

from pathlib import Path

from PIL import Image

from mezzotint.families.storybook import STORYBOOK
from mezzotint.world import Item, Scene, compose, render

STATIC = Path(__file__).parents[1] / "src" / "mezzotint" / "lab" / "static"
SCENES: dict[str, Scene] = {
    "fox": compose(1, [Item("fox")], place="snow"),
    "castle": compose(4, [Item("castle")], place="beach", hour="night"),
    "owl": compose(1, [Item("owl")], place="forest"),
    "apple": compose(4, [Item("apple")], place="desert", hour="sunset"),
}
STYLED: dict[str, Scene] = {
    style: compose(1, [Item("sailboat")], place="beach", style=style)
    for style in ("neon", "watercolour")
}
"""What lesson 8 takes a style from."""


def picture(scene: Scene) -> Image.Image:
    return Image.fromarray(render(scene, STORYBOOK.size))


def main() -> None:
    for folder, scenes in (("subjects", SCENES), ("steering", STYLED)):
        for name, scene in scenes.items():
            file = STATIC / folder / f"{name}.webp"
            picture(scene).save(file, "WEBP", lossless=True, quality=100, method=6)
            print(f"{file} {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

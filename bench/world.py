"""What the storybook world holds and how quickly it is drawn: `python bench/world.py`.

Prints the figures, and writes docs/world.md and the contact sheet docs/world.png.
"""

import textwrap
import time
from pathlib import Path

from mezzotint.world import KINDS, caption, contact_sheet, render, sample_scene
from mezzotint.world.art import PACKAGE, VERSION
from mezzotint.world.scene import COLOURS, HOURS, PLACES, STYLES, WEATHERS

DOCS = Path(__file__).parents[1] / "docs"
SCENES = 1000

PAGE = """\
# The storybook world

The embedded model learned from scenes that are composed, so everything about them is known. A
`Scene` is a typed description (objects with name, size, colour and position; place, hour, weather,
style); its picture and its captions are two pure functions of it.

    from mezzotint.world import caption, render, sample_scene

    scene = sample_scene(7)                  # the same scene for ever
    pixels = render(scene, 128)              # (128, 128, 3) uint8
    text = caption(scene, 0, "short")  # {example}

`mezzotint world -o world.png` draws a contact sheet like this one:

![scenes with their captions](world.png)

## What it contains

| | |
|---|---|
| objects | {objects}, {synonyms} more names for them |
| recolourable objects | {recoloured}, to {colours} |
| places | {places} |
| hours | {hours} |
| weather | {weathers} |
| styles | {styles} |
| objects in a scene | one (60 %), two (30 %), three (10 %), told from left to right |
| captions | `dense` (everything), `short` (as people type), `tags` |
| drawing a scene at 128 px | {milliseconds:.1f} ms on one core, mean over {scenes} scenes |

{names}

`sample_scene(seed, "single")` has one large object, where a curriculum begins; `"mixed"` has
everything. Every object occurs in every place. About two thirds of the scenes are in the default
style.

## Where the art comes from

The objects are the open Fluent emoji (MIT), which npm fetches on first use as `{package}`
{version} into `~/.cache/mezzotint` (or `$MEZZOTINT_CACHE`). The package's SHA-512 is pinned, so
something else is refused, and it is read in memory, so nothing is unpacked. Each icon is drawn
once with resvg into an atlas beside it. Places, hours, weather and the two filter styles (ink,
neon) are drawn by code. The same seed gives the same scene and caption everywhere; pictures are
the same bytes with the same versions of resvg, Pillow and numpy. `mezzotint.world.VERSION` goes up
where a seed comes to give something else, and data sets on disk are told apart by it.

## What it does not hold

People (but for an astronaut), counts of the same object, actions, and text. Objects keep their
pose and face one way. In neon and ink a plain background keeps only a hint of its colour.
"""


def milliseconds() -> float:
    """Mean processor time to draw a scene, with the art loaded but no sprite scaled yet."""
    render(sample_scene(0))
    scenes = [sample_scene(seed) for seed in range(1, SCENES + 1)]
    start = time.process_time()
    for scene in scenes:
        render(scene)
    return (time.process_time() - start) / SCENES * 1000


def main() -> None:
    page = PAGE.format(
        example=caption(sample_scene(7), 0, "short"),
        objects=len(KINDS),
        synonyms=sum(len(kind.synonyms) for kind in KINDS.values()),
        recoloured=sum(bool(kind.colours) for kind in KINDS.values()),
        colours=", ".join(COLOURS),
        places=f"{len(PLACES)}: {', '.join(PLACES)}",
        hours=", ".join(HOURS),
        weathers=", ".join(WEATHERS),
        styles=", ".join(STYLES),
        milliseconds=milliseconds(),
        scenes=SCENES,
        names=textwrap.fill(f"The objects: {', '.join(KINDS)}.", 100),
        package=PACKAGE,
        version=VERSION,
    )
    (DOCS / "world.md").write_text(page)
    contact_sheet(range(100, 124), columns=8).save(DOCS / "world.png", optimize=True)
    print(page)


if __name__ == "__main__":
    main()

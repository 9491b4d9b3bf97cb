"""What the storybook world holds and how quickly it is drawn: `python bench/world.py`.

Prints the figures, and writes docs/world.md and the contact sheet docs/world.png.
"""

import textwrap
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from mezzotint.world import CORE, KINDS, caption, contact_sheet, render, sample, sample_scene
from mezzotint.world.art import PACKAGE, VERSION
from mezzotint.world.scene import (
    COLOURS,
    HOURLESS,
    HOURS,
    PLACES,
    SEASONAL,
    SEASONS,
    STYLES,
    WEATHERS,
)
from mezzotint.world.things import HATS

T = TypeVar("T", bound=str)

DOCS = Path(__file__).parents[1] / "docs"
SCENES = 300

PAGE = """\
# The storybook world

The embedded model learned from scenes that are composed, so everything about them is known. A
`Scene` is a typed description (objects with name, size, colour, hat and positions, their relation;
place, season, hour, weather, style); its picture and its captions are two pure functions of it.

    from mezzotint.world import Item, caption, compose, render, sample_scene

    scene = sample_scene(7)          # the same scene for ever
    pixels = render(scene, 256)      # (256, 256, 3) uint8
    text = caption(scene, 0, "short")
    # {example}

    scene = compose(0, [Item("cat", colour="black"), Item("house")], relation="on", place="snow")

`mezzotint world -o world.png` draws a contact sheet like this one:

![scenes with their captions](world.png)

## What it contains

| | |
|---|---|
| objects | {objects}, {synonyms} more names for them; {core} of them, `CORE`, are what is sampled |
| recolourable objects | {recoloured} ({core_recoloured} of `CORE`), to {colours} |
| hats | {hats}; {heads} objects can wear one |
| how many | one to four alike, three things and four drawings in a picture at most |
| relations | left of, right of, above, on top of (of {tops} objects), in front of, wearing |
| sizes | small, medium, large |
| places | {places_count}: {places} |
| seasons | {seasons} (in {seasonal}) |
| hours | {hours} (not in {hourless}) |
| weather | {weathers} |
| styles | {styles} |
| captions | `dense` (everything), `short` (as people type), `bare` (mostly objects), `tags` |
| drawing a scene at 256 px | {milliseconds:.1f} ms on one core, mean over {scenes} scenes |

Shares of what `sample_scene` draws:

| | |
|---|---|
| contents | {contents} |
| relations of two | {relations} |
| styles | {style_shares} |
| hours | {hour_shares} |
| seasons | {season_shares} |

`sample_scene(seed, "single")` has one object, large in seven of ten scenes, where a curriculum
begins; `"mixed"` has everything. `sample_scene(seed, names=...)` draws other objects.

{core_names}

{other_names}

## How a picture is laid out

Things stand on the ground, the lower the nearer and the larger; what flies floats; boats and
whales lie in the water. Things side by side do not touch, and their centres are a quarter of the
picture apart. What is *above* has a gap under it; what is *on* something has its foot on that
thing's top, which is known of each object; what is *in front* is lower and covers 20 to 45 % of
the other's box. `layout.box` and `layout.hat_spot` give the boxes of all drawings.

## Words

Captions put style, place and hour in any order (*at night in a forest, a fox*), use synonyms,
plurals, numbers in words and digits, and now and then words that mean nothing here (*beautiful*,
*photorealistic*, *4k*), which a model is to ignore. A default (storybook style, day, summer, clear
weather) is seldom said, and what is unsaid is mostly the default: *a fox* is a storybook fox by
day. Nothing that a caption says contradicts its scene; a test reads every word back.

## What is kept back

One combination in twelve is never drawn: of two objects, of an object and its colour, its number,
its place or its style, but for the default one (`withheld.py` says which). So a model can be asked
for what it never saw. `compose` draws anything.

## Pairs and conditions

Since all of a scene is known, so is what it would be but for one change, and how near everything
is. From this the embedded model learns to follow instructions, depth, boxes and reference pictures.

    from mezzotint.world import boxes, box_map, change_mask, depth, instruction, sample_change

    change = sample_change(8)        # .kind, .before, .after: two scenes that differ by one change
    words = instruction(change, 0)   # make the helicopters green
    away = ~change_mask(change)      # the pixels that the two pictures share
    near = depth(change.after)       # (256, 256) float32, 1 nearest, the sky 0
    frames = box_map([box for _, box in boxes(change.after)])

![pairs with instruction, depth and boxes; characters; second views](pairs.jpg)

A change is of hour, season, weather, place, style, of a thing's colour or hat, or adds, removes or
replaces a thing, each as often. Everything else stays at its spot, so its pixels are the same:
a change of one thing touches its own, its shadow, halo and reflection. Pixel art chooses its few
colours for the whole picture, so there no single thing is changed; neon hardly shows a season, so
none is. A `size` says how large a thing is among as many as there are, so it is told anew where
one is added or removed. Neither scene of a pair has what is kept back.

Depth is the inverse of the distance. Ground and water come nearer in a straight line from the
horizon, 0, to the lower edge, 1; a thing is as near as its feet, or as the water's line where it is
afloat. Hills, woods and houses are at the horizon, and a room's wall where its floor ends. What has
no ground (in the air, under water, in space, before a plain colour) is the nearer the larger it is,
and what covers another is nearer. A hat, and what stands on a thing, are as near as what bears
them.

`second_view(scene, seed)` has the same things elsewhere, `in_style_of(scene, seed)` others in the
same style, `character_scenes(name, 4, seed)` one kind, as of the twelve `CHARACTERS` outside the
core, in several places; `setting_caption` tells of a picture what is no thing. The picture above is
drawn by `python bench/pairs.py`.

## Where the art comes from

The objects are the open Fluent emoji (MIT), which npm fetches on first use as `{package}`
{version} into `~/.cache/mezzotint` (or `$MEZZOTINT_CACHE`). The package's SHA-512 is pinned, so
something else is refused, and it is read in memory, so nothing is unpacked. Each icon is drawn
once with resvg into an atlas beside it. Places, hours, seasons, weather and all styles but `flat`
are drawn by code. The same seed gives the same scene and caption everywhere; pictures are
the same bytes with the same versions of resvg, Pillow and numpy. `mezzotint.world.VERSION` goes up
where a seed comes to give something else, and data sets on disk are told apart by it.

## What it does not hold

People (but for an astronaut and the like), actions, and text. Objects keep their pose and face one
way. A hat has its own colours.
"""


def milliseconds() -> float:
    """Mean processor time to draw a scene, with the art loaded but no sprite scaled yet."""
    render(sample_scene(0))
    scenes = [sample_scene(seed) for seed in range(1, SCENES + 1)]
    start = time.process_time()
    for scene in scenes:
        render(scene)
    return (time.process_time() - start) / SCENES * 1000


def filled(title: str, names: Iterable[str]) -> str:
    """A paragraph that lists names."""
    return textwrap.fill(f"{title}: {', '.join(names)}.", 100)


def shares(odds: Mapping[T, float]) -> str:
    """Odds in words: ``one 38 %, two 30 %``."""
    return ", ".join(f"{name} {odd:.0%}".replace("%", " %") for name, odd in odds.items())


def main() -> None:
    core = [KINDS[name] for name in CORE]
    page = PAGE.format(
        example=caption(sample_scene(7), 0, "short"),
        objects=len(KINDS),
        core=len(CORE),
        synonyms=sum(len(kind.synonyms) for kind in KINDS.values()),
        recoloured=sum(bool(kind.colours) for kind in KINDS.values()),
        core_recoloured=sum(bool(kind.colours) for kind in core),
        hats=", ".join(HATS),
        heads=sum(kind.head is not None for kind in KINDS.values()),
        tops=sum(kind.top is not None for kind in KINDS.values()),
        colours=", ".join(COLOURS),
        places_count=len(PLACES),
        places=", ".join(PLACES),
        seasons=", ".join(SEASONS),
        seasonal=", ".join(SEASONAL),
        hours=", ".join(HOURS),
        hourless=", ".join(HOURLESS),
        weathers=", ".join(WEATHERS),
        styles=", ".join(STYLES),
        contents=shares(sample.CONTENTS["mixed"]),
        relations=shares(sample.RELATIONS),
        style_shares=shares(sample.STYLES),
        hour_shares=shares(sample.HOURS),
        season_shares=shares(sample.SEASONS),
        milliseconds=milliseconds(),
        scenes=SCENES,
        core_names=filled("The core", CORE),
        other_names=filled("The others", [name for name in KINDS if name not in CORE]),
        package=PACKAGE,
        version=VERSION,
    )
    (DOCS / "world.md").write_text(page)
    contact_sheet(range(100, 124), columns=8, size=192).save(DOCS / "world.png", optimize=True)
    print(page)


if __name__ == "__main__":
    main()

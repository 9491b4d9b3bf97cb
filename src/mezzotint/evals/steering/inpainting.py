"""Whether what is painted into a hole is what was asked for, and nothing else is touched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from mezzotint.evals.asking import SURE, Wanted
from mezzotint.evals.judge import Judge, Seen
from mezzotint.evals.skills import Prompt
from mezzotint.evals.steering.estimate import share
from mezzotint.evals.steering.findings import Finding, Section, rows
from mezzotint.evals.steering.truth import Codec, cases, painted
from mezzotint.world.boxes import boxes
from mezzotint.world.layout import Box

AROUND = 0.05  # of the side: how much larger the hole is than what is asked for
INSIDE = 0.5  # of its box: a thing with less of it in the hole is not in it
REACH = 0.8


@dataclass(frozen=True)
class Hole:
    """A place without the thing that its prompt asks for, and where it is to be painted.

    Attributes:
        prompt: what the whole picture is to show.
        before: the picture without the thing.
        true: the picture with it.
        mask: white where to paint, of the picture's size.
        box: the same, in fractions of the side.
    """

    prompt: Prompt
    before: Image.Image
    true: Image.Image
    mask: Image.Image
    box: Box

    @property
    def wanted(self) -> Wanted:
        """The thing that is asked for."""
        return self.prompt.ask.things[0]


Painting = Callable[[Hole], Image.Image]
"""Paints what the prompt says into the hole."""


def holes(count: int, size: int) -> list[Hole]:
    """``count`` holes in pictures ``size`` along a side, for things with and without a colour."""
    return [_hole(prompt, size) for prompt in cases(count, ("one object", "colour"))]


def untouched(before: Image.Image, after: Image.Image, mask: Image.Image) -> bool:
    """Whether no bit differs where the mask is black."""
    if before.size != after.size:
        return False
    outside = np.asarray(mask.convert("L")) == 0
    first, second = (np.asarray(each.convert("RGB"))[outside] for each in (before, after))
    return np.array_equal(first, second)


def in_box(wanted: Wanted, box: Box, seen: Seen) -> bool:
    """Whether the thing is seen, mostly within a box, and the surest such in the asked colour."""
    inside = [
        one
        for one in seen.objects
        if one.kind == wanted.name and one.score > SURE and _covered(one.box, box) >= INSIDE
    ]
    surest = max(inside, key=lambda one: one.score, default=None)
    return surest is not None and wanted.colour in (None, surest.colour)


def paint_in(paint: Painting, judge: Judge, asked: Sequence[Hole], codec: Codec) -> Section:
    """Paint into every hole.

    The ceiling is of true pictures through the model's autoencoder, the floor of what was there
    before.
    """
    painted_in = [paint(hole) for hole in asked]

    def found(pictures: Sequence[Image.Image]) -> list[bool]:
        each = zip(asked, judge.see(pictures), strict=True)
        return [in_box(hole.wanted, hole.box, seen) for hole, seen in each]

    kept = [
        untouched(hole.before, picture, hole.mask)
        for hole, picture in zip(asked, painted_in, strict=True)
    ]
    findings = (
        Finding("rest identical, to the bit", share(kept), 1.0, percent=True),
        Finding(
            "asked thing in the hole",
            share(found(painted_in)),
            REACH,
            ceiling=share(found([codec(hole.true) for hole in asked])).value,
            floor=share(found([hole.before for hole in asked])).value,
            percent=True,
        ),
    )
    shown = rows(
        [(Image.composite(hole.mask.convert("RGB"), hole.before, hole.mask), "") for hole in asked],
        [(picture, hole.prompt.text) for hole, picture in zip(asked, painted_in, strict=True)],
        [(hole.true, "a true one") for hole in asked],
    )
    note = f"{len(asked)} empty places, each with a hole for a thing that it is to show."
    return Section("inpainting", note, findings, shown)


def _hole(prompt: Prompt, size: int) -> Hole:
    scene = prompt.scene
    ((_, box),) = boxes(scene)
    low = [max(0, round((edge - AROUND) * size)) for edge in box[:2]]
    high = [min(size, round((edge + AROUND) * size)) for edge in box[2:]]
    mask = Image.new("L", (size, size))
    mask.paste(255, (low[0], low[1], high[0], high[1]))
    left, top, right, bottom = (edge / size for edge in (*low, *high))
    return Hole(
        prompt=prompt,
        before=painted(replace(scene, things=(), relation=None), size),
        true=painted(scene, size),
        mask=mask,
        box=(left, top, right, bottom),
    )


def _covered(box: Box, by: Box) -> float:
    """The share of a box that another covers."""
    sides = [
        (max(0.0, min(box[k + 2], by[k + 2]) - max(box[k], by[k])), box[k + 2] - box[k])
        for k in (0, 1)
    ]
    return float(np.prod([shared / max(side, 1e-9) for shared, side in sides]))

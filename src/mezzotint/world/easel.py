"""The easel a scene is painted on: brushes that know the hour's light and the style's manner.

A flat picture has no gradients and its glows are rings; a paper one is cut out of sheets, so every
shape throws a shadow on what lies behind it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mezzotint.world import paint
from mezzotint.world.light import Light
from mezzotint.world.paint import Array, Circle, Point, axis, mix, rgb
from mezzotint.world.scene import Scene

SUN, LAND, FALL = range(3)
"""Streams of chance: the land is the same at every hour, the sky in every season."""

DROP = (0.006, 0.012)  # how far paper's shadow falls, right and down
BANDS = 6  # of a flat gradient


@dataclass(frozen=True)
class Easel:
    """The canvas ``(3, h, h)``, the scene, its light, and what of the canvas things cover."""

    canvas: Array
    scene: Scene
    light: Light
    cover: Array = field(init=False)
    sun_x: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cover", np.zeros_like(self.canvas[0]))
        side = self.rng(SUN).random(2)
        x = 0.12 + 0.13 * float(side[0])
        object.__setattr__(self, "sun_x", x if side[1] < 0.5 else 1 - x)

    def rng(self, stream: int) -> np.random.Generator:
        """This scene's chance for one purpose."""
        return np.random.Generator(np.random.PCG64((self.scene.variant, stream)))

    @property
    def size(self) -> int:
        """Pixels along a side."""
        return self.canvas.shape[-1]

    @property
    def x(self) -> Array:
        """Columns of the canvas as fractions."""
        return axis(self.size)

    @property
    def plain(self) -> bool:
        """Whether the style lays flat colours only."""
        return self.scene.style in ("flat", "paper")

    @property
    def paper(self) -> bool:
        """Whether shapes are cut out of paper."""
        return self.scene.style == "paper"

    def level(self, y: float) -> Array:
        """The flat profile at height ``y``."""
        return np.full_like(self.x, y)

    def lit(self, code: str) -> Array:
        """A land colour in this hour's light."""
        return np.minimum(rgb(code) * self.light.land, 1)

    def snowy(self, code: str) -> Array:
        """A snow colour in this hour's light, which snow takes on less than land."""
        return mix(self.lit(code), rgb(code), 0.55 - 0.3 * self.light.lamps)

    def far(self, code: str, depth: float) -> Array:
        """A land colour seen through ``depth`` (0 to 1) of this hour's air."""
        return mix(self.lit(code), self.light.low, depth)

    def column(self, *stops: Array) -> None:
        """Fill the canvas from top to bottom."""
        t = self.x
        if self.plain:
            t = (np.floor(t * BANDS) + np.float32(0.5)) / BANDS
        self.canvas[:] = paint.column(stops, t)

    def below(self, edge: Array, top: Array, bottom: Array | None = None) -> None:
        """Fill below a profile, as ``paint.below``."""
        if self.paper:
            paint.above_edge(self.canvas, edge, 0.028, self.light.shade, 0.4)
        if self.plain and bottom is not None:
            top, bottom = mix(top, bottom, 0.35), None
        paint.below(self.canvas, edge, top, bottom)

    def disc(
        self,
        x: float,
        y: float,
        radius: float,
        colour: Array,
        squash: float = 1,
        opacity: float = 1,
    ) -> None:
        """A clear-cut ellipse."""
        if self.paper and radius > 0.03 and opacity > 0.5:
            dx, dy = DROP
            shade = self.light.shade
            paint.disc(
                self.canvas,
                x + dx,
                y + dy,
                radius * 1.04,
                shade,
                squash=squash,
                opacity=0.4,
                soft=0.2,
            )
        paint.disc(self.canvas, x, y, radius, colour, squash=squash, opacity=opacity)

    def glow(self, x: float, y: float, radius: float, colour: Array, opacity: float) -> None:
        """Light around a point; flat styles make two rings of it."""
        if self.plain:
            for reach in (0.62, 0.4):
                paint.disc(self.canvas, x, y, radius * reach, colour, opacity=opacity * 0.4)
        else:
            paint.disc(self.canvas, x, y, radius, colour, opacity=opacity, soft=1.0)

    def cluster(
        self,
        circles: Sequence[Circle],
        top: Array,
        bottom: Array,
        *,
        floor: float = 2,
        squash: float = 1,
    ) -> None:
        """The union of circles, as ``paint.cluster``."""
        if self.paper:
            fallen = [(x + DROP[0], y + DROP[1], r) for x, y, r in circles]
            shade, foot = self.light.shade, floor + DROP[1] / 2
            paint.cluster(
                self.canvas, fallen, shade, shade, floor=foot, squash=squash, opacity=0.22
            )
        if self.plain:
            top = bottom = mix(top, bottom, 0.4)
        paint.cluster(self.canvas, circles, top, bottom, floor=floor, squash=squash)

    def polygon(self, points: Sequence[Point], colour: Array) -> None:
        """A convex polygon."""
        if self.paper:
            dx, dy = DROP
            fallen = [(x + dx, y + dy / 2) for x, y in points]
            paint.polygon(self.canvas, fallen, self.light.shade, 0.22)
        paint.polygon(self.canvas, points, colour)

    def haze(self, centre: float, spread: float, colour: Array, opacity: float) -> None:
        """A level band of mist; cut paper has none."""
        if not self.plain:
            paint.band(self.canvas, centre, spread, colour, opacity)

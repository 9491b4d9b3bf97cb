"""Arranging drawings: alone, in a row, in two rows, one above, on or in front of the other."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mezzotint.world.layout import (
    APART,
    FARTHEST,
    FREE,
    GROUND,
    GROUNDS,
    HEIGHTS,
    OVERHANG,
    WATERLINE,
    WIDEST,
    Figure,
    draught,
    footing,
)
from mezzotint.world.scene import Place, Relation, Spot
from mezzotint.world.sprites import aspect
from mezzotint.world.things import KINDS

Rng = np.random.Generator

EDGE, GAP = 0.02, 0.025
TALLEST = 0.93  # with its hat, so that it can stand at the front of the ground
LOWEST_IN_THE_AIR = 0.8


def arrange(
    rng: Rng, figures: Sequence[Figure], relation: Relation | None, place: Place, *, alike: bool
) -> list[Spot]:
    """A spot for each of one to four drawings, told from left to right if they are side by side.

    ``alike`` says that they are several of one thing, which stand closer or in two rows. The
    relations ``above``, ``on`` and ``in front`` are of two drawings, the first to the second.
    """
    if len(figures) == 1:
        return [_alone(rng, figures[0], place)]
    if relation == "above":
        return _above(rng, figures[0], figures[1], place)
    if relation == "on":
        return _on(rng, figures[0], figures[1], place)
    if relation == "in front":
        return _in_front(rng, figures[0], figures[1], place)
    airy = place in FREE or footing(figures[0].name, place) == "floats"
    if alike and len(figures) > 2 and airy and rng.random() < 0.6:
        return _rows(rng, figures, place)
    return _row(rng, figures, place, alike=alike)


def _spot(x: float, y: float, height: float) -> Spot:
    return Spot(round(x, 4), round(y, 4), round(height, 4))


def _height(figure: Figure, count: int, near: float) -> float:
    """The height of a drawing, ``near`` from 0 at the back to 1 at the front."""
    low, high = HEIGHTS[count][figure.size]
    widest = WIDEST[count][figure.size] * (FARTHEST + (1 - FARTHEST) * near)
    return min(low + (high - low) * near, widest / figure.wide, TALLEST / figure.rise)


def _foot(rng: Rng, figure: Figure, height: float, near: float, place: Place) -> float:
    """The y of a drawing's foot, which depends on whether it stands, floats or is afloat."""
    rise, play = figure.rise * height, float(rng.uniform(-1, 1))
    how = footing(figure.name, place)
    if place in FREE:
        y = 0.5 + rise / 2 + 0.03 * play
    elif how == "floats":
        y = (0.46 if place == "underwater" else 0.4) + rise / 2 + 0.05 * play
    elif how == "afloat":
        y = WATERLINE[place] + draught(figure.name) * height
    else:
        back, front = GROUNDS.get(place, GROUND)
        y = back + (front - back) * near
    return min(max(y, EDGE + rise), 1 - EDGE)


def _middle(rng: Rng, left: float, right: float, play: float) -> float:
    """An x near the middle for what reaches so far ``left`` and ``right`` of it."""
    low, high = EDGE + left, 1 - EDGE - right
    return float(np.clip(0.5 + rng.uniform(-play, play), low, max(low, high)))


def _alone(rng: Rng, figure: Figure, place: Place) -> Spot:
    """In the middle, or plainly to one side if there is room."""
    near = float(rng.random())
    height = _height(figure, 1, near)
    y = _foot(rng, figure, height, near, place)
    left, right = figure.left * height, figure.right * height
    room = 0.5 - EDGE - max(left, right)
    if room < 0.18 or rng.random() < 0.5:
        return _spot(_middle(rng, left, right, 0.07), y, height)
    aside = float(rng.uniform(0.18, min(0.32, room)))
    return _spot(0.5 + (aside if rng.random() < 0.5 else -aside), y, height)


def _row(rng: Rng, figures: Sequence[Figure], place: Place, *, alike: bool) -> list[Spot]:
    """Side by side, nearer ones lower and larger."""
    count = len(figures)
    play = 0.25 if alike else 0.5
    nears = np.clip(rng.uniform(play, 1 - play) + rng.uniform(-play, play, count), 0, 1).tolist()
    heights = [_height(f, count, near) for f, near in zip(figures, nears, strict=True)]
    xs = _spread(rng, figures, heights, 0.0 if alike else APART)
    ys = [_foot(rng, f, h, near, place) for f, h, near in zip(figures, heights, nears, strict=True)]
    if place == "plain":
        ys = [max(ys)] * count
    return [_spot(*spot) for spot in zip(xs, ys, heights, strict=True)]


def join(
    rng: Rng, figure: Figure, others: Sequence[tuple[Figure, Spot]], place: Place
) -> Spot | None:
    """A spot for one more drawing in a row of others, clear of them; None where it has no room."""
    count = len(others) + 1
    near = float(rng.random())
    height = _height(figure, count, near)
    y = _foot(rng, figure, height, near, place)
    if place == "plain" and others:
        y = max(others[0][1].y, EDGE + figure.rise * height)
    left, right = figure.left * height, figure.right * height
    edges = [EDGE + left]
    for other, spot in sorted(others, key=lambda pair: pair[1].x):
        before, after = other.left * spot.height + right, other.right * spot.height + left
        edges += [spot.x - max(APART, before + GAP) - 0.001, spot.x + max(APART, after + GAP)]
    edges.append(1 - EDGE - right)
    rooms = np.maximum(np.subtract(edges[1::2], edges[::2]), 0)
    if not rooms.any():
        return None
    k = int(rng.choice(len(rooms), p=rooms / rooms.sum()))
    return _spot(edges[2 * k] + 0.0005 + float(rng.random()) * float(rooms[k]), y, height)


def _spread(
    rng: Rng, figures: Sequence[Figure], heights: Sequence[float], apart: float
) -> list[float]:
    """The x of drawings side by side, with room shared out between them and at the edges."""
    reach = [(f.left * h, f.right * h) for f, h in zip(figures, heights, strict=True)]
    gaps = [max(GAP, apart + 0.001 - right - left) for (_, right), (left, _) in pairwise(reach)]
    slack = 1 - 2 * EDGE - sum(map(sum, reach)) - sum(gaps)
    shares = rng.uniform(0.5, 1.5, len(figures) + 1)
    shares *= slack / shares.sum()
    xs: list[float] = []
    x = EDGE
    for (left, right), gap, share in zip(reach, [0.0, *gaps], shares, strict=False):
        x += gap + float(share) + left
        xs.append(x)
        x += right
    return xs


def _rows(rng: Rng, figures: Sequence[Figure], place: Place) -> list[Spot]:
    """Three or four alike in two rows, in the air or where there is no ground."""
    bottom = 1 - EDGE if place in FREE else LOWEST_IN_THE_AIR
    band = (bottom - EDGE - GAP) / 2
    first = 2 if len(figures) == 4 or rng.random() < 0.5 else 1
    spots: list[Spot] = []
    for row, part in enumerate((figures[:first], figures[first:])):
        heights = [_row_height(rng, figure, len(figures), band) for figure in part]
        xs = _spread(rng, part, heights, 0.0)
        for x, height, figure in zip(xs, heights, part, strict=True):
            rise = figure.rise * height
            play = float(rng.uniform(0.25, 0.75)) * (band - rise)
            spots.append(_spot(x, EDGE + row * (band + GAP) + rise + play, height))
    return sorted(spots, key=lambda spot: spot.x)


def _row_height(rng: Rng, figure: Figure, count: int, band: float) -> float:
    low, high = HEIGHTS[count][figure.size]
    return min(float(rng.uniform(low, high)), high / figure.wide, band / figure.rise)


def _above(rng: Rng, upper: Figure, lower: Figure, place: Place) -> list[Spot]:
    """The first over the second with a gap, their centres near one another."""
    near = float(rng.uniform(0.5, 1))
    over, under = _height(upper, 2, float(rng.random())), _height(lower, 2, near)
    gap = float(rng.uniform(0.04, 0.1))
    grounded = footing(lower.name, place) != "floats" and place not in FREE
    room = _foot(rng, lower, under, near, place) - EDGE if grounded else 1 - 2 * EDGE
    shrink = min(1.0, (room - gap) / (upper.rise * over + lower.rise * under))
    over, under = over * shrink, under * shrink
    total = upper.rise * over + gap + lower.rise * under
    y = EDGE + room if grounded else 0.5 + total / 2
    shift = float(rng.uniform(-0.06, 0.06))
    x = _middle_of_two(rng, (upper, over), (lower, under), shift)
    return [
        _spot(x + shift, y - under * lower.rise - gap, over),
        _spot(x, y, under),
    ]


def _middle_of_two(
    rng: Rng, first: tuple[Figure, float], second: tuple[Figure, float], shift: float
) -> float:
    """The second's x, where the first is ``shift`` to the right of it."""
    (one, tall), (other, high) = first, second
    left = max(other.left * high, one.left * tall - shift)
    right = max(other.right * high, one.right * tall + shift)
    return _middle(rng, left, right, 0.1)


def _on(rng: Rng, upper: Figure, lower: Figure, place: Place) -> list[Spot]:
    """The first's foot on the second's top."""
    top = KINDS[lower.name].top
    assert top is not None, f"nothing can stand on {lower.name}"
    along, down, surface = top
    near = float(rng.uniform(0.3, 1))
    under = _height(lower, 2, near)
    broad = aspect(lower.name) * under
    widest = OVERHANG * surface * broad / aspect(upper.name)
    over = min(_height(upper, 2, float(rng.random())), widest)
    grounded = footing(lower.name, place) != "floats" and place not in FREE
    room = _foot(rng, lower, under, near, place) - EDGE if grounded else 1 - 2 * EDGE
    total = (1 - down) * under + upper.rise * over
    shrink = min(1.0, room / total)
    over, under, broad = over * shrink, under * shrink, broad * shrink
    y = EDGE + room if grounded else 0.5 + total * shrink / 2
    shift = (along - 0.5) * broad
    x = _middle_of_two(rng, (upper, over), (lower, under), shift)
    return [_spot(x + shift, y - (1 - down) * under, over), _spot(x, y, under)]


def _in_front(rng: Rng, first: Figure, second: Figure, place: Place) -> list[Spot]:
    """The first lower and nearer, covering between a fifth and two fifths of the second's box."""
    near = float(rng.random())
    behind = _height(second, 2, 0.4 + 0.6 * near)
    broad, ratio = aspect(second.name) * behind, aspect(first.name)
    share = float(rng.uniform(0.24, 0.38))  # of the second, covered
    side = float(rng.uniform(0.7, 1))  # of the narrower one's width, in the overlap
    step = float(rng.uniform(0.1, 0.22))  # of the first's height, below the second's foot
    tall = (share * broad * behind / (side * (1 - step) * ratio)) ** 0.5
    if ratio * tall > broad:
        tall = share * behind / (side * (1 - step))
    tall = min(tall, 0.95 * behind, WIDEST[2]["large"] / first.wide)
    narrow = min(ratio * tall, broad)
    side = min(1.0, share * broad * behind / (narrow * (1 - step) * tall))
    below = step * tall
    grounded = footing(second.name, place) != "floats" and place not in FREE
    highest = max(second.rise * behind, first.rise * tall - below)
    if grounded:
        y = min(_foot(rng, second, behind, 0.4 * near, place), 1 - EDGE - below)
    else:
        y = 0.5 + (highest - below) / 2
    shift = (ratio * tall + broad) / 2 - side * narrow
    shift *= 1 if rng.random() < 0.5 else -1
    x = _middle_of_two(rng, (first, tall), (second, behind), shift)
    return [_spot(x + shift, y + below, tall), _spot(x, y, behind)]

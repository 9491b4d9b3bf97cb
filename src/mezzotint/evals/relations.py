"""What stands where to what, from boxes alone.

Boxes are left, top, right, bottom as fractions of the picture's side, with the origin at the top
left. The margin around centres is GenEval's (Ghosh et al. 2023, section 3): a tenth of both boxes
together. Two things stand side by side however high each of them is.
"""

from typing import Literal, get_args

from mezzotint.world.layout import Box

Position = Literal["left of", "right of", "above", "on top of", "in front of", "wearing"]
POSITIONS: tuple[Position, ...] = get_args(Position)

MARGIN = 0.1  # of both widths or heights, between centres that are called apart
TOUCH = 0.03  # of the side: what is nearer than this touches
COVERED = 0.1  # of the one behind, where the other is in front of it
BROW = 0.6  # of the wearer's height: a hat ends above this


def holds(position: Position, a: Box, b: Box) -> bool:
    """Whether ``a`` is left of ``b``, above it, on top of it, ..., or wears it."""
    match position:
        case "left of":
            return _apart(a, b, 0) < 0
        case "right of":
            return _apart(a, b, 0) > 0
        case "above":
            across, down = (_middle(a, k) - _middle(b, k) for k in (0, 1))
            return _apart(a, b, 1) < 0 and abs(across) < -down
        case "on top of":
            return _under_one(a, b) and b[1] - TOUCH < a[3] < b[3] - TOUCH and not _sunk(a, b)
        case "in front of":
            return a[3] > b[3] and _shared(a, b) > COVERED * _area(b)
        case "wearing":
            brow = a[1] + BROW * (a[3] - a[1])
            return _under_one(b, a) and a[1] - TOUCH < b[3] < brow and not _sunk(b, a)


def _middle(box: Box, axis: int) -> float:
    return (box[axis] + box[axis + 2]) / 2


def _apart(a: Box, b: Box, axis: int) -> float:
    """How far ``a`` is beyond ``b`` along an axis, 0 within the margin."""
    offset = _middle(a, axis) - _middle(b, axis)
    margin = MARGIN * (a[axis + 2] - a[axis] + b[axis + 2] - b[axis])
    return offset if abs(offset) > margin else 0.0


def _under_one(upper: Box, lower: Box) -> bool:
    """Whether the middle of the upper box is over the lower one."""
    return lower[0] - TOUCH < _middle(upper, 0) < lower[2] + TOUCH


def _sunk(upper: Box, lower: Box) -> bool:
    """Whether the upper box does not rise above the middle of the lower one."""
    return _middle(upper, 1) > _middle(lower, 1)


def _shared(a: Box, b: Box) -> float:
    low, high = [max(a[k], b[k]) for k in (0, 1)], [min(a[k], b[k]) for k in (2, 3)]
    return max(0.0, high[0] - low[0]) * max(0.0, high[1] - low[1])


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

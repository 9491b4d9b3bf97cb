"""Pairs of the world's scenes that teach a denoiser to look at a second picture.

The first is drawn, the second seen: what it was before a change, the same things elsewhere, or
other things in the same style.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

import numpy as np

from mezzotint.world import (
    Scene,
    caption,
    instruction,
    sample_change,
    sample_scene,
    setting_caption,
    style_caption,
    things_caption,
)
from mezzotint.world.scene import STYLES
from mezzotint.world.views import in_style_of, second_view

Kind = Literal["change", "content", "style"]

APART = 1 << 20  # seeds from one pair's to the next one's, where some scenes are passed over


@dataclass(frozen=True)
class Pair:
    """Two scenes.

    Attributes:
        drawn: what a denoiser learns to draw.
        seen: what it sees.
        wordings: what it is told.
        kind: of a change; empty where nothing was changed.
        telling: what would tell, in place of what is seen, what is to be taken over of it.
    """

    drawn: Scene
    seen: Scene
    wordings: tuple[str, ...]
    kind: str = ""
    telling: str = ""


def change(seed: int, wordings: int) -> Pair:
    """A scene after one change, and before it; told is what was to be changed."""
    made = sample_change(seed)
    told = tuple(instruction(made, wording) for wording in range(wordings))
    return Pair(made.after, made.before, told, kind=made.kind)


def content(seed: int, wordings: int) -> Pair:
    """A scene with things, and the same things elsewhere.

    All wordings but the last tell the setting alone, so that the things have to be seen; that tells
    everything, unless it is the only one.
    """
    scene = next(scene for scene in _scenes(seed) if scene.things)
    alone = max(1, wordings - 1)
    told = [setting_caption(scene, wording) for wording in range(alone)]
    told += [caption(scene, wording, "short") for wording in range(wordings - alone)]
    seen = second_view(scene, seed)
    return Pair(scene, seen, tuple(told), telling=things_caption(seen))


def style(seed: int, wordings: int) -> Pair:
    """A scene, and other things in its style, of which no wording tells.

    Each style is as likely as another: as the world has them, most would show nothing to take over.
    """
    wanted = STYLES[int(np.random.default_rng(seed).integers(len(STYLES)))]
    scene = next(scene for scene in _scenes(seed) if scene.style == wanted)
    seen, told = in_style_of(scene, seed), tuple(_unstyled(scene, wordings))
    return Pair(scene, seen, told, telling=style_caption(seen))


PAIRED: Mapping[Kind, Callable[[int, int], Pair]] = {
    "change": change,
    "content": content,
    "style": style,
}
"""(seed, wordings) → the pair of that seed, with so many wordings."""


def _scenes(seed: int) -> Iterator[Scene]:
    return (sample_scene(APART * seed + k) for k in count())


def _unstyled(scene: Scene, wordings: int) -> Iterator[str]:
    """Captions as of the default style, which goes without saying; none of those that say it."""
    plain = replace(scene, style="storybook")
    told = (caption(plain, wording, "short") for wording in count())
    silent = (text for text in told if plain.style not in text)
    return (next(silent) for _ in range(wordings))

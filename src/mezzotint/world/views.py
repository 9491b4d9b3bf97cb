"""Scenes that share something with a scene: its things, its style, or one character."""

from mezzotint.world.scene import Scene

CHARACTERS: tuple[str, ...] = (
    *("llama", "kangaroo", "raccoon", "parrot", "peacock", "sloth", "wolf", "squirrel"),
    *("mammoth", "dodo", "wizard", "santa claus"),
)
"""Kinds outside the core, which a model trained on it has never seen: to personalise it with."""


def second_view(scene: Scene, seed: int) -> Scene:
    """The same things in the same style elsewhere: other spots and sizes, place, hour, season."""
    raise NotImplementedError


def in_style_of(scene: Scene, seed: int) -> Scene:
    """Other things in another place at another hour, in the same style."""
    raise NotImplementedError


def character_scenes(name: str, count: int, seed: int) -> list[Scene]:
    """A kind alone in ``count`` scenes of different places, hours and sizes."""
    raise NotImplementedError

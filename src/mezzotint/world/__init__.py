"""The storybook world: captioned scenes with known contents.

A scene is a typed description; its picture and its caption are two pure functions of it.
"""

from mezzotint.world.captions import caption
from mezzotint.world.render import render
from mezzotint.world.sample import sample_scene
from mezzotint.world.scene import VERSION, Density, Scene, Stage, Thing
from mezzotint.world.sheet import contact_sheet
from mezzotint.world.things import KINDS

__all__ = [
    "KINDS",
    "VERSION",
    "Density",
    "Scene",
    "Stage",
    "Thing",
    "caption",
    "contact_sheet",
    "render",
    "sample_scene",
]

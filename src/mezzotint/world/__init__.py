"""The storybook world: captioned scenes with known contents.

A scene is a typed description; its picture and its caption are two pure functions of it.
"""

from mezzotint.world.captions import caption
from mezzotint.world.compose import Item, compose
from mezzotint.world.render import render
from mezzotint.world.sample import sample_scene
from mezzotint.world.scene import VERSION, Density, Scene, Spot, Stage, Thing
from mezzotint.world.sheet import contact_sheet
from mezzotint.world.things import CORE, KINDS

__all__ = [
    "CORE",
    "KINDS",
    "VERSION",
    "Density",
    "Item",
    "Scene",
    "Spot",
    "Stage",
    "Thing",
    "caption",
    "compose",
    "contact_sheet",
    "render",
    "sample_scene",
]

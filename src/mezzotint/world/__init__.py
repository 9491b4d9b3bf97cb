"""The storybook world: captioned scenes with known contents.

A scene is a typed description; its picture and its caption are two pure functions of it.
"""

from mezzotint.world.boxes import box_map, boxes
from mezzotint.world.captions import caption, setting_caption, style_caption, things_caption
from mezzotint.world.changes import (
    CHANGES,
    Change,
    ChangeKind,
    change_mask,
    instruction,
    sample_change,
)
from mezzotint.world.compose import Item, compose
from mezzotint.world.depth import depth
from mezzotint.world.render import render
from mezzotint.world.sample import sample_scene
from mezzotint.world.scene import VERSION, Density, Scene, Spot, Stage, Thing
from mezzotint.world.sheet import contact_sheet
from mezzotint.world.things import CORE, KINDS
from mezzotint.world.views import CHARACTERS, character_scenes, in_style_of, second_view

__all__ = [
    "CHANGES",
    "CHARACTERS",
    "CORE",
    "KINDS",
    "VERSION",
    "Change",
    "ChangeKind",
    "Density",
    "Item",
    "Scene",
    "Spot",
    "Stage",
    "Thing",
    "box_map",
    "boxes",
    "caption",
    "change_mask",
    "character_scenes",
    "compose",
    "contact_sheet",
    "depth",
    "in_style_of",
    "instruction",
    "render",
    "sample_change",
    "sample_scene",
    "second_view",
    "setting_caption",
    "style_caption",
    "things_caption",
]

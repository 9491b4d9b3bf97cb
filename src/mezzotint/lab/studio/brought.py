"""The pictures that a drawing is made of, by the names that its settings have for them."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from mezzotint.lab.studio.guides import NAME, guides, written
from mezzotint.pipeline.editing.masks import said

OF_EDITS = ("picture", "mask")

Brought = Mapping[str, tuple[str, Image.Image]]
"""By the names that were asked for: the names of their pixels, and the pictures."""


def pictures(settings: Mapping[str, Any]) -> set[str]:
    """The names of all of them.

    Raises:
        InputError: its guides, or its mask in words, are not to be read.
    """
    given = [str(settings[each]) for each in OF_EDITS if each in settings and "picture" in settings]
    of_edits = {each for each in given if said(each) is None}
    return of_edits | {guide.picture for guide in guides(settings) if guide.picture}


def renamed(settings: Mapping[str, Any], brought: Brought) -> dict[str, Any]:
    """The settings that name pictures, by the names that their pixels have."""

    def own(name: str) -> str:
        return brought[name][0] if name in brought else name

    steering = [g.model_copy(update={"picture": own(g.picture)}) for g in guides(settings)]
    found = {each: own(str(settings[each])) for each in OF_EDITS if each in settings}
    return found | ({NAME: written(steering)} if steering else {})

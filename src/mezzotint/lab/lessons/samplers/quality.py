"""What ``bench/quality.py`` measured of samplers by the pictures that they end in."""

from pathlib import Path
from typing import TypedDict

from mezzotint.lab.measured import FOLDER, measured

FILE = FOLDER / "quality.json"


class Quality(TypedDict):
    """How often pictures show what they were asked for.

    Attributes:
        made: by which command, of how many pictures.
        true: the share of true scenes in which the judge sees it, 0…1.
        samplers: of each, calls of the network and the share of its pictures.
    """

    made: str
    true: float
    samplers: dict[str, list[tuple[int, float]]]


def quality(file: Path = FILE) -> Quality | None:
    """What was found, or None where nothing was measured."""
    return measured(file)

"""What is drawn: models of published sizes at random weights, and the embedded one."""

import os
from dataclasses import dataclass

PROMPT = "a fox in the snow at night"


@dataclass(frozen=True)
class Shape:
    """A model's sizes, and the picture that it is asked for.

    Attributes:
        title: what it is called in the report.
        size: side of the picture, in pixels.
        steps: of the picture, where nothing else is asked for.
        scale: of the guidance.
        guided: whether guidance takes both prompts, so that a step goes through the network twice;
            otherwise the network is told the scale.
        memory: bytes that a machine needs for all of its blocks in float32; with less, both sides
            get the same few of them.
        reduced: what is left of it then, in words.
        embedded: whether it is the model of this package, with its own weights, which only this
            package's engines execute.
        single_file: whether stable-diffusion.cpp reads it out of one file.
    """

    title: str
    size: int
    steps: int
    scale: float
    guided: bool = True
    memory: int = 0
    reduced: str = ""
    embedded: bool = False
    single_file: bool = False


SHAPES = {
    "storybook": Shape("the embedded model", size=256, steps=20, scale=4.0, embedded=True),
    "sd15": Shape("Stable Diffusion 1.5", size=512, steps=20, scale=7.5, single_file=True),
    "sdxl": Shape(
        "Stable Diffusion XL",
        size=1024,
        steps=4,
        scale=7.5,
        memory=40 * 2**30,
        reduced="1 and 2 transformer blocks where it has 2 and 10, and 4 layers of its second text "
        "encoder's 32",
        single_file=True,
    ),
    "flux": Shape(
        "FLUX.1 dev",
        size=1024,
        steps=4,
        scale=3.5,
        guided=False,
        memory=160 * 2**30,
        reduced="2 joint and 4 single blocks of 19 and 38, and 2 layers of T5's 24",
    ),
    "tiny": Shape("a trial", size=64, steps=2, scale=7.5),
}
ALL = ("storybook", "sd15", "sdxl", "flux")


def fits(shape: Shape) -> bool:
    """Whether this machine holds the shape with all of its blocks."""
    if not hasattr(os, "sysconf"):  # Windows does not tell
        return not shape.memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >= shape.memory

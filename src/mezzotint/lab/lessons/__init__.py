"""The lessons, in the curriculum's order."""

from mezzotint.lab.lessons import (
    dissolve,
    emerge,
    guidance,
    latents,
    samplers,
    steering,
    text,
    trick,
)
from mezzotint.lab.lessons.lesson import Lesson

LESSONS: tuple[Lesson, ...] = (
    dissolve.LESSON,
    emerge.LESSON,
    trick.LESSON,
    latents.LESSON,
    text.LESSON,
    guidance.LESSON,
    samplers.LESSON,
    steering.LESSON,
)

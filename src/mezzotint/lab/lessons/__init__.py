"""The lessons, in the curriculum's order."""

from mezzotint.lab.lessons import (
    check,
    dissolve,
    emerge,
    guidance,
    kinds,
    latents,
    production,
    samplers,
    steering,
    text,
    trick,
    wild,
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
    kinds.LESSON,
    wild.LESSON,
    production.LESSON,
    check.LESSON,
)

"""The lessons, in the curriculum's order: what each asks, and the code that answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """A page of the lab.

    Attributes:
        slug: its place in addresses; the page is ``pages/SLUG.html``, its script
            ``static/SLUG.js``.
        title: what it is called.
        asks: the question that it answers.
        code: names of the functions that do it, for ``source.excerpt``.
    """

    slug: str
    title: str
    asks: str
    code: tuple[str, ...]


LESSONS = (
    Lesson(
        "dissolve",
        "Dissolve",
        "What does noise do to a picture?",
        (
            "mezzotint.diffusion.process:Process.diffuse",
            "mezzotint.diffusion.process:Process.linear",
            "mezzotint.diffusion.process:Process.cosine",
            "mezzotint.diffusion.process:Process.flow",
        ),
    ),
    Lesson(
        "emerge",
        "Emerge",
        "How does a picture come out of noise?",
        (
            "mezzotint.diffusion.samplers.first_order:ddim",
            "mezzotint.diffusion.samplers.grid:move",
            "mezzotint.diffusion.prediction:denoiser",
        ),
    ),
)

"""What a lesson is."""

from dataclasses import dataclass

from mezzotint.lab.live import Routes


@dataclass(frozen=True)
class Lesson:
    """A page of the lab.

    Attributes:
        slug: its place in addresses; the page is ``pages/SLUG.html``, its script
            ``static/SLUG.js``.
        title: what it is called.
        asks: the question that it answers.
        code: names of the functions that do it, for ``source.excerpt``.
        routes: what the page asks of the server.
    """

    slug: str
    title: str
    asks: str
    code: tuple[str, ...]
    routes: Routes

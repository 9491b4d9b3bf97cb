"""What every page of the lab has at hand: the model, turns at it, pictures that were brought."""

import base64
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.lab.turns import Job, Turns
from mezzotint.lab.uploads import Uploads
from mezzotint.pipeline.pipeline import Pipeline

QUALITY = 85  # of the WebP that pages are sent
STREAM = "text/event-stream"


@dataclass(frozen=True)
class Event:
    """Something that happened: its name, and what is told of it, as JSON can say it."""

    name: str
    told: dict[str, Any]

    @property
    def text(self) -> str:
        """As a page's EventSource reads it."""
        return f"event: {self.name}\ndata: {json.dumps(self.told)}\n\n"


@dataclass(frozen=True)
class Lab:
    """What the routes of a page are made with.

    Attributes:
        model: gives the model, loaded when it is first called; to be called within a turn.
        turns: where everything is done that asks something of the model.
        uploads: pictures that visitors brought.
    """

    model: Callable[[], Pipeline]
    turns: Turns = field(default_factory=Turns)
    uploads: Uploads = field(default_factory=Uploads)

    def events(self, begin: Callable[[Pipeline], Iterator[Event]]) -> StreamingResponse:
        """Server-sent events, one a turn; an InputError becomes the event "refused".

        Args:
            begin: given the model, makes the events. Others take turns between them, so what stays
                attached from one to the next is attached to ``own.own`` of the model.
        """

        def told() -> Iterator[Event]:
            try:
                yield from begin(self.model())
            except InputError as error:
                yield refused(str(error))

        return StreamingResponse(_as_text(self.turns.run(told)), media_type=STREAM)


Routes = Callable[[Lab], APIRouter]
"""What a page asks of the server, as a function of what it has at hand."""


def refused(why: str) -> Event:
    """That something cannot be done, which ends what a page listens to."""
    return Event("refused", {"why": why})


def as_url(picture: Image.Image) -> str:
    """A picture as an address that holds it."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


async def _as_text(events: Job[Event]) -> AsyncIterator[str]:
    async for event in events:
        yield event.text

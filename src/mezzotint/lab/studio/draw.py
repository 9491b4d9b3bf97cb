"""Drawings as the studio's page watches them: previews on the way, and each picture as it is kept.

A batch is drawn one picture after the other, for each is bit for bit what it would be alone: so
nobody waits for more than a network call, and who cancels keeps what was finished.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from PIL import Image

from mezzotint.diffusion.noise import alone
from mezzotint.lab.live import Event, as_url
from mezzotint.lab.studio.again import EXACT, settings_of
from mezzotint.lab.studio.asking import Studio, requested, steered, stream
from mezzotint.lab.studio.brought import Brought, renamed
from mezzotint.lab.studio.models import chosen
from mezzotint.lab.studio.settings import OF_EDITS
from mezzotint.lab.studio.tables import Entry
from mezzotint.pipeline.metadata import parse
from mezzotint.pipeline.pipeline import Output, Pipeline, Step

PREVIEW_SIDE = 256
REST = 2.0  # times what a preview took pass before the next, so they take a third of the time


@dataclass
class Previews:
    """What is shown of a drawing on its way, seldom enough to cost little.

    Attributes:
        shown: the last previews, one a picture, as addresses.
    """

    shown: list[str] = field(default_factory=list[str])
    _due: float = 0.0

    def renewed(self, step: Step) -> bool:
        """Whether a preview was due, and so made."""
        begun = time.monotonic()
        if begun < self._due:
            return False
        self.show(step.preview())
        took = time.monotonic() - begun
        self._due = begun + (1 + REST) * took
        return True

    def show(self, pictures: list[Image.Image]) -> None:
        """Show these."""
        self.shown = [_small(each) for each in pictures]


def drawing(pipe: Pipeline, studio: Studio, settings: Mapping[str, Any]) -> Iterator[Event]:
    """Events "begun", "step", "picture" as each is kept, and "done".

    Args:
        pipe: the model at hand.
        studio: where pictures come from, and are kept.
        settings: what is asked, as ``settings.understood`` reads it.

    Raises:
        InputError: it cannot be drawn.
    """
    pipe = chosen(pipe, settings.get("variant", ""))
    request = requested(pipe, settings)
    yield Event("begun", {"seed": told_seed(request.seed), "batch": request.batch})
    brought = studio.brought(settings)
    adapters = steered(pipe, settings, brought)
    notes: list[str] = []
    ids: list[str] = []
    for first, count in _runs(request.noise, request.seed, request.batch):
        asked = {**settings, "seed": first, "batch": count}
        previews, done = Previews(), len(ids)
        step, output = None, None
        for step in stream(pipe, asked, brought, adapters, notes):
            if step.index < step.total - 1:
                previews.renewed(step)
            else:
                output = step.output()
                previews.show(output.images)
            yield _told(step, previews.shown, done, request.batch)
        for entry in kept(studio, settings, brought, output, "picture"):
            ids.append(entry.id)
            yield Event("picture", {**told(entry), "seed": entry.settings["seed"]})
    yield Event("done", {"pictures": ids, "notes": notes})


def kept(
    studio: Studio,
    settings: Mapping[str, Any],
    brought: Brought,
    output: Output | None,
    kind: str,
) -> list[Entry]:
    """Keep finished pictures in the gallery, with what is asked to make them again."""
    if output is None:
        return []
    found = [again(settings, brought, str(image.info["parameters"])) for image in output.images]
    own = "edit" if kind == "picture" and "picture" in settings else kind
    inputs = dict(brought.values())
    return [
        studio.gallery.keep(image, own, each, inputs)
        for image, each in zip(output.images, found, strict=True)
    ]


def again(settings: Mapping[str, Any], brought: Brought, recipe: str) -> dict[str, Any]:
    """What is asked to make a picture of this recipe again, exactly."""
    found = settings_of(parse(recipe))
    if "picture" in settings:  # its size is the picture's, unless another was asked for
        found = {n: v for n, v in found.items() if n not in ("width", "height") or n in settings}
        found |= {name: settings[name] for name in OF_EDITS if name in settings}
        if isinstance(grown := found.get("expand"), list):
            found["expand"] = ",".join(f"{each:g}" for each in cast("list[float]", grown))
    if "variant" in settings:
        found["variant"] = settings["variant"]
    return found | renamed(settings, brought)


def told(entry: Entry) -> dict[str, Any]:
    """A picture of the gallery, as JSON can say it."""
    return {
        "id": entry.id,
        "kind": entry.kind,
        "prompt": entry.prompt,
        "width": entry.width,
        "height": entry.height,
        "made": entry.made,
        "favourite": entry.favourite,
        "recipe": entry.recipe,
        "settings": dict(entry.settings),
    }


def told_seed(seed: int) -> int | str:
    """A seed that a page does not round."""
    return seed if seed < EXACT else str(seed)


def _runs(noise: str, seed: int, batch: int) -> list[tuple[int, int]]:
    """First seeds and counts of what is drawn at once: pictures one by one, where they can be."""
    if batch > 1 and alone(noise, seed, 1, batch) == (seed + 1, 0, 1):
        return [(seed + k, 1) for k in range(batch)]
    return [(seed, batch)]


def _told(step: Step, shown: list[str], done: int, batch: int) -> Event:
    """A step among all of a batch; previews stand where their pictures will."""
    runs, number = batch // len(shown), done // len(shown)
    index, total = number * step.total + step.index, runs * step.total
    previews: list[str | None] = [None] * batch
    previews[done : done + len(shown)] = shown
    also = {"previews": previews} if batch > 1 else {}
    return Event("step", {"index": index, "total": total, "preview": shown[0], **also})


def _small(picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.BILINEAR)
    return as_url(small)

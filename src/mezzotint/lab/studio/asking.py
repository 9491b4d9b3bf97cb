"""From what is asked of the studio to a pipeline's steps."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from PIL import Image

from mezzotint.adapters.base import Adapter
from mezzotint.errors import InputError
from mezzotint.lab.live import Lab
from mezzotint.lab.own import own, own_for
from mezzotint.lab.studio import guides
from mezzotint.lab.studio.brought import Brought, pictures
from mezzotint.lab.studio.gallery import Gallery
from mezzotint.lab.studio.settings import OF_EDITS, OF_ENCODERS
from mezzotint.pipeline.editing.masks import Mask, said
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import EditOptions, Options, Request, complete


@dataclass(frozen=True)
class Studio:
    """What the studio's drawings are made with."""

    lab: Lab
    gallery: Gallery

    def brought(self, settings: Mapping[str, Any]) -> Brought:
        """The pictures that ``settings`` name.

        Raises:
            InputError: one is no longer there.
        """
        found = {name: self._picture(name) for name in pictures(settings)}
        return {name: (self.lab.uploads.keep(each), each) for name, each in found.items()}

    def _picture(self, name: str) -> Image.Image:
        """A picture of the gallery, or that some of it was made of, or that was brought."""
        with suppress(InputError), Image.open(self.gallery.file(name)) as file:
            return file.convert("RGB")
        return self.gallery.input(name) or self.lab.uploads.find(name)


def requested(pipe: Pipeline, settings: Mapping[str, Any]) -> Request:
    """What is asked for, with nothing left open, a random seed among it.

    Raises:
        InputError: something is out of its range.
    """
    return complete(pipe.model.family, str(settings.get("prompt", "")), **_options(settings))


def steered(pipe: Pipeline, settings: Mapping[str, Any], brought: Brought) -> list[Adapter]:
    """What the guides among ``settings`` attach to the model.

    Raises:
        InputError: the model has no such ControlNet or IP-Adapter, or it cannot be read.
    """
    request, shown = requested(pipe, settings), {name: each for name, (_, each) in brought.items()}
    size = request.width, request.height
    if "picture" in settings and not {"width", "height"} & settings.keys():
        size = shown[str(settings["picture"])].size
    return guides.adapters(pipe, settings, shown, size)


def stream(
    pipe: Pipeline,
    settings: Mapping[str, Any],
    brought: Brought,
    adapters: Sequence[Adapter],
    notes: list[str],
) -> Iterator[Step]:
    """The steps of a drawing, or of an edit where a picture was brought.

    Others may draw between them: a model of its own draws what attaches something to it.

    Args:
        pipe: the model at hand.
        settings: what is asked.
        brought: as ``Studio.brought`` finds it.
        adapters: as ``steered`` finds them.
        notes: what a person is warned of is added here.

    Raises:
        InputError: it cannot be drawn; at the call, or at the first step.
    """
    prompt, options = str(settings.get("prompt", "")), _options(settings)
    texts = [str(settings.get(name, "")) for name in ("prompt", "negative", *OF_ENCODERS)]
    pipe = own(pipe) if adapters or "source" in settings else own_for(pipe, *texts)
    extra = {name: settings[name] for name in OF_EDITS if name in settings}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        if "picture" in settings:
            _, picture = brought[str(settings["picture"])]
            mask = _mask(settings, brought)
            also = cast("EditOptions", {**options, **extra, "mask": mask})
            steps = pipe.stream_edit(picture, prompt, **also)
        elif extra or "mask" in settings:
            given = next(iter([*extra, "mask"]))
            raise InputError(f"{given} is of an edit: give a picture to begin with, too")
        else:
            steps = pipe.stream(prompt, **options)
    notes += [str(each.message) for each in told if str(each.message) not in notes]
    return _with(pipe, adapters, steps) if adapters else steps


def _mask(settings: Mapping[str, Any], brought: Brought) -> Mask | None:
    if "mask" not in settings:
        return None
    told = str(settings["mask"])
    return said(told) or brought[told][1]


def _with(pipe: Pipeline, adapters: Sequence[Adapter], steps: Iterator[Step]) -> Iterator[Step]:
    with pipe.attached(*adapters):
        yield from steps


def _options(settings: Mapping[str, Any]) -> Options:
    known = Options.__optional_keys__
    found = {name: value for name, value in settings.items() if name in known}
    prompts = {name: settings[name] for name in OF_ENCODERS if name in settings}
    return cast("Options", {**found, "prompts": prompts} if prompts else found)

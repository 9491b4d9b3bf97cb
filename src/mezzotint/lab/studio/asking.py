"""From what is asked of the studio to a pipeline's steps."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from PIL import Image

from mezzotint.errors import InputError
from mezzotint.lab.live import Lab, changes_model
from mezzotint.lab.studio.gallery import Gallery
from mezzotint.lab.studio.settings import OF_EDITS, OF_ENCODERS
from mezzotint.pipeline.editing.masks import word
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import EditOptions, Options, Request, complete

WORD = "word:"  # begins a mask that is no picture, but where one shows a word
BROUGHT = ("picture", "mask")


@dataclass(frozen=True)
class Studio:
    """What the studio's drawings are made with."""

    lab: Lab
    gallery: Gallery

    def brought(self, settings: Mapping[str, Any]) -> dict[str, tuple[str, Image.Image]]:
        """The pictures among ``settings``, and the names that their pixels have.

        Raises:
            InputError: one is no longer there.
        """
        names = BROUGHT if "picture" in settings else ()
        given = {each: str(settings[each]) for each in names if each in settings}
        found: dict[str, tuple[str, Image.Image]] = {}
        for each, name in given.items():
            if not name.startswith(WORD):
                picture = self._picture(name)
                found[each] = self.lab.uploads.keep(picture), picture
        return found

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


def changes(*drawn: Mapping[str, Any]) -> bool:
    """Whether drawing any of these changes the model as long as it takes."""
    names = ("prompt", "negative", *OF_ENCODERS)
    texts = {str(each.get(name, "")) for each in drawn for name in names}
    return changes_model("\n".join(texts)) or any("source" in each for each in drawn)


def stream(
    pipe: Pipeline,
    settings: Mapping[str, Any],
    brought: Mapping[str, tuple[str, Image.Image]],
    notes: list[str],
) -> Iterator[Step]:
    """The steps of a drawing, or of an edit where a picture was brought.

    Args:
        pipe: what draws.
        settings: what is asked.
        brought: as ``Studio.brought`` finds it.
        notes: what a person is warned of is added here.

    Raises:
        InputError: it cannot be drawn; at the call, or at the first step.
    """
    prompt, options = str(settings.get("prompt", "")), _options(settings)
    extra = {name: settings[name] for name in OF_EDITS if name in settings}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        if "picture" in brought:
            mask: Any = brought["mask"][1] if "mask" in brought else None
            if str(settings.get("mask", "")).startswith(WORD):
                mask = word(str(settings["mask"]).removeprefix(WORD))
            also = cast("EditOptions", {**options, **extra, "mask": mask})
            steps = pipe.stream_edit(brought["picture"][1], prompt, **also)
        elif extra or "mask" in settings:
            given = next(iter([*extra, "mask"]))
            raise InputError(f"{given} is of an edit: give a picture to begin with, too")
        else:
            steps = pipe.stream(prompt, **options)
    notes += [str(each.message) for each in told if str(each.message) not in notes]
    return steps


def _options(settings: Mapping[str, Any]) -> Options:
    known = Options.__optional_keys__
    found = {name: value for name, value in settings.items() if name in known}
    prompts = {name: settings[name] for name in OF_ENCODERS if name in settings}
    return cast("Options", {**found, "prompts": prompts} if prompts else found)

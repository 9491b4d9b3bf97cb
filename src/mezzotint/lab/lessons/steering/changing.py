"""Steered drawings as a page watches them: every step an event with a picture in it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mezzotint.adapters.base import Adapter
from mezzotint.lab.live import Event, as_url
from mezzotint.pipeline.editing.outpaint import margins
from mezzotint.pipeline.editing.pictures import laid_on
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import EditOptions, Options


def edited(
    pipe: Pipeline, picture: Image.Image, prompt: str, ways: Sequence[EditOptions]
) -> Iterator[Event]:
    """Events "step" of each way in turn, its place being "lane", then "done".

    Args:
        pipe: what draws.
        picture: what is changed.
        prompt: of the result.
        ways: options of ``Pipeline.edit``; if a seed is in them, all begin with the same noise.
    """
    own = laid_on(picture, "white")
    told: dict[str, Any] = {}
    for lane, options in enumerate(ways):
        for step in pipe.stream_edit(own, prompt, **options):
            if step.index < step.total - 1:
                yield _event(lane, step, step.preview()[0])
                continue
            result = step.output().images[0]
            yield _event(lane, step, result)
            told = {
                "recipe": result.info["parameters"],
                "size": result.size,
                "kept": kept(own, result, options),
            }
    yield Event("done", told)


def drawn(
    pipe: Pipeline, prompt: str, adapters: Sequence[Adapter], options: Options
) -> Iterator[Event]:
    """Events "step" of a prompt with adapters attached, then "done"."""
    with pipe.attached(*adapters):
        for step in pipe.stream(prompt, **options):
            if step.index < step.total - 1:
                yield _event(0, step, step.preview()[0])
                continue
            result = step.output().images[0]
            yield _event(0, step, result)
            yield Event("done", {"recipe": result.info["parameters"], "size": result.size})


def kept(before: Image.Image, after: Image.Image, options: EditOptions) -> dict[str, int] | None:
    """How many pixels were to stay ("of"), and how many of them "changed"; None where all may.

    Args:
        before, after: in RGB.
        options: with a picture for a mask, with ``expand``, or with neither.
    """
    mask, expand = options.get("mask"), options.get("expand")
    old, new = np.asarray(before), np.asarray(after)
    stays: NDArray[np.bool_] = np.ones(old.shape[:2], np.bool_)
    if isinstance(mask, Image.Image):
        stays = np.asarray(mask.convert("L")) == 0
    elif expand is not None:
        left, top, _, _ = margins(expand, before.size)
        new = new[top : top + before.height, left : left + before.width]
    else:
        return None
    return {"of": int(stays.sum()), "changed": int((stays & (old != new).any(axis=-1)).sum())}


def _event(lane: int, step: Step, picture: Image.Image) -> Event:
    told = {"lane": lane, "index": step.index, "total": step.total, "picture": as_url(picture)}
    return Event("step", told)

"""A picture's recipe, from the file that it was saved as, and the picture again from that."""

import base64
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from mezzotint.errors import InputError
from mezzotint.lab.live import Event
from mezzotint.pipeline.metadata import Reading, Recipe, png, reading
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import Options


def told_and_again(pipe: Pipeline, prompt: str, seed: int | None) -> Iterator[Event]:
    """Events "step"; "read" with the file and what is read back; "step" again; and "done".

    Args:
        pipe: what draws.
        prompt: of the picture.
        seed: of its noise.

    Raises:
        InputError: the prompt or the seed cannot be drawn.
    """
    image = yield from _drawn(pipe.stream(prompt, seed=seed))
    file = png(image)
    found = read(file)
    bare = png(Image.frombytes(image.mode, image.size, image.tobytes()))
    yield Event(
        "read",
        {
            "file": base64.b64encode(file).decode(),
            "text": image.info["parameters"],
            "recipe": {name: str(value) for name, value in asdict(found.recipe).items()},
            "tool": found.tool,
            "misses": list(found.misses),
            "bare": _why(bare),
        },
    )
    recipe = found.recipe
    again = yield from _drawn(pipe.stream(recipe.prompt, **options(recipe)))
    same = sum(a == b for a, b in zip(again.tobytes(), image.tobytes(), strict=True))
    yield Event("done", {"same": same, "numbers": len(image.tobytes())})


def read(file: bytes) -> Reading:
    """What a picture's file tells of how it was made.

    Raises:
        InputError: nothing, or nothing that is understood.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        path.write_bytes(file)
        try:
            return reading(path)
        except InputError as error:
            raise InputError(str(error).replace(str(path), path.name)) from error


def options(recipe: Recipe) -> Options:
    """What draws the picture of a recipe, beside its prompt."""
    return Options(
        negative=recipe.negative,
        steps=recipe.steps,
        cfg=recipe.cfg,
        cfg_interval=recipe.cfg_interval,
        seed=recipe.seed,
        width=recipe.width,
        height=recipe.height,
        sampler=recipe.sampler,
        spacing=recipe.spacing,
        dialect=recipe.dialect,
        guidance=recipe.guidance,
        noise=recipe.noise,
        clip_skip=recipe.clip_skip,
        prompts=dict(recipe.prompts),
    )


def _drawn(steps: Iterator[Step]) -> Generator[Event, None, Image.Image]:
    last = None
    for last in steps:
        yield Event("step", {"index": last.index, "total": last.total})
    if last is None:
        raise InputError("there was no step to take")
    return last.output().images[0]


def _why(file: bytes) -> str:
    try:
        read(file)
    except InputError as error:
        return str(error)
    return ""

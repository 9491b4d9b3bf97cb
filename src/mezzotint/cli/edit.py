"""`mezzotint edit`: a picture and a sentence become another picture."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mezzotint.cli.change import Change
from mezzotint.cli.controls import controls
from mezzotint.cli.drawing import Drawing, draw
from mezzotint.cli.flags import flags
from mezzotint.cli.savings import savings

INSTRUCTED = "storybook-instruct"  # the embedded model that takes instructions


@flags
def edit(
    image: Annotated[Path, Argument(metavar="IN", help="The picture to change.")],
    prompt: Annotated[
        str, Argument(help="What the result shows; with --instruct, what to do to the picture.")
    ],
    model: Annotated[
        str | None,
        Option(
            help="As for generate: any can edit, and those made for inpainting, instructions or "
            "filling in do it better.",
            show_default="the embedded storybook",
        ),
    ] = None,
    *,
    change: Change,
    drawing: Drawing,
) -> None:
    """Change the picture IN as PROMPT says."""
    paths = drawing.paths(image, *([Path(change.mask)] if change.mask else []))
    result = drawing.options()

    from mezzotint.pipeline.editing.pictures import read

    saved = savings(drawing.saving or [])
    picture, asked = read(image), change.options(result)
    if change.instruct and model is None:
        model = INSTRUCTED
    pipe = drawing.load(model)
    size = asked.get("width") or picture.width, asked.get("height") or picture.height
    steered = controls(drawing.control or [], model, size)
    stream = pipe.stream_edit(picture, prompt, **asked)
    draw(pipe, stream, drawing.lora or [], paths, [*steered, *saved])

"""`mezzotint edit`: a picture and a sentence become another picture."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Argument

from mezzotint.cli.change import Change
from mezzotint.cli.controls import controls
from mezzotint.cli.drawing import Drawing, draw
from mezzotint.cli.flags import flags
from mezzotint.cli.running import Running

INSTRUCTED = "storybook-instruct"  # the embedded model that takes instructions


@flags
def edit(
    image: Annotated[Path, Argument(metavar="IN", help="The picture to change.")],
    prompt: Annotated[
        str, Argument(help="What the result shows; with --instruct, what to do to the picture.")
    ],
    change: Change,
    drawing: Drawing,
    running: Running,
) -> None:
    """Change the picture IN as PROMPT says.

    Any model can; those made for inpainting, for instructions or for filling in do it better.
    """
    paths = drawing.paths(image, *([Path(change.mask)] if change.mask else []))
    result = drawing.options()

    from mezzotint.pipeline.editing.pictures import read

    worn = running.adapters()
    picture, asked = read(image), change.options(result)
    if change.instruct and running.model is None:
        running = replace(running, model=INSTRUCTED)
    pipe = running.load()
    size = asked.get("width") or picture.width, asked.get("height") or picture.height
    steered = controls(drawing.control or [], running.model, size)
    draw(pipe, pipe.stream_edit(picture, prompt, **asked), [*steered, *worn], paths)

"""`mezzotint generate`: a sentence becomes a picture."""

from typing import Annotated

from typer import Argument

from mezzotint.cli.controls import controls
from mezzotint.cli.drawing import Drawing, draw
from mezzotint.cli.flags import flags
from mezzotint.cli.running import Running


@flags
def generate(
    prompt: Annotated[str, Argument(help="What the picture shows.")],
    drawing: Drawing,
    running: Running,
) -> None:
    """Draw a picture of PROMPT."""
    paths, asked = drawing.paths(), drawing.options()
    worn, pipe = running.adapters(), running.load()
    side = pipe.model.family.size
    size = asked.get("width") or side, asked.get("height") or side
    steered = controls(drawing.control or [], running.model, size)
    draw(pipe, pipe.stream(prompt, **asked), [*steered, *worn], paths)

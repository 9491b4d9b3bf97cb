"""`mezzotint generate`: a sentence becomes a picture."""

from typing import Annotated

from typer import Argument, Option

from mezzotint.cli.controls import controls
from mezzotint.cli.drawing import Drawing, draw
from mezzotint.cli.flags import flags
from mezzotint.cli.savings import savings


@flags
def generate(
    prompt: Annotated[str, Argument(help="What the picture shows.")],
    model: Annotated[
        str | None,
        Option(
            help="A folder or file of weights, a name in your models folders, a hub id, or a "
            "variant of the embedded model, such as storybook-unet.",
            show_default="the embedded storybook",
        ),
    ] = None,
    *,
    drawing: Drawing,
) -> None:
    """Draw a picture of PROMPT."""
    paths, asked = drawing.paths(), drawing.options()
    saved = savings(drawing.saving or [])
    pipe = drawing.load(model)
    side = pipe.model.family.size
    size = asked.get("width") or side, asked.get("height") or side
    steered = controls(drawing.control or [], model, size)
    stream = pipe.stream(prompt, **asked)
    draw(pipe, stream, drawing.lora or [], paths, [*steered, *saved])

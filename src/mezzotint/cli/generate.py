"""`mezzotint generate`: a sentence becomes a picture."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mezzotint.cli.output import check_picture, numbered, size_of


def generate(
    prompt: Annotated[str, Argument(help="What the picture shows.")],
    out: Annotated[
        Path, Option("--out", "-o", help="The PNG to write; -n 3 writes NAME-1.png to NAME-3.png.")
    ] = Path("mezzotint.png"),
    negative: Annotated[str, Option(help="What the picture should not show.")] = "",
    model: Annotated[
        str | None, Option(help="A folder of weights.", show_default="the embedded storybook")
    ] = None,
    steps: Annotated[
        int | None, Option(help="Denoising steps.", show_default="the model's")
    ] = None,
    cfg: Annotated[
        float | None, Option(help="Guidance scale; 1 is none.", show_default="the model's")
    ] = None,
    seed: Annotated[
        int | None, Option(help="Same seed, same picture; -1 is random.", show_default="random")
    ] = None,
    size: Annotated[
        str | None, Option(metavar="WxH", help="Pixels.", show_default="the model's")
    ] = None,
    count: Annotated[int, Option("-n", help="How many pictures: seeds SEED, SEED+1, …")] = 1,
    sampler: Annotated[
        str | None,
        Option(help="dpmpp_2m, euler, ddim, … (docs/samplers.md)", show_default="the model's"),
    ] = None,
    spacing: Annotated[
        str | None,
        Option(help="Time grid: karras, linspace, trailing, …", show_default="the model's"),
    ] = None,
) -> None:
    """Draw a picture of PROMPT."""
    width, height = size_of(size) if size is not None else (None, None)
    paths = numbered(out, count)
    for path in paths:
        check_picture(path)

    import mezzotint as mz
    from mezzotint.cli.progress import step_bar
    from mezzotint.files import write_whole
    from mezzotint.pipeline.metadata import png

    stream = mz.load(model).stream(
        prompt,
        negative=negative,
        steps=steps,
        cfg=cfg,
        seed=seed,
        width=width,
        height=height,
        batch=count,
        sampler=sampler,
        spacing=spacing,
    )
    *_, last = step_bar(stream)
    for path, image in zip(paths, last.output().images, strict=True):
        write_whole(path, png(image))
        print(path)

"""`mezzotint edit`: a picture and a sentence become another picture."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mezzotint.cli import options
from mezzotint.cli.drawing import draw, named
from mezzotint.cli.output import check_picture, numbered, size_of
from mezzotint.errors import InputError


def edit(
    image: Annotated[Path, Argument(metavar="IN", help="The picture to change.")],
    prompt: Annotated[
        str, Argument(help="What the result shows; for InstructPix2Pix, what to do to the picture.")
    ],
    out: options.Out = Path("mezzotint.png"),
    overwrite: Annotated[
        bool, Option("--overwrite", help="Write over IN or the mask, if they are named by -o.")
    ] = False,
    model: Annotated[
        str | None,
        Option(help="A checkpoint made for editing: inpainting, InstructPix2Pix or FLUX.1 Fill."),
    ] = None,
    part: options.Part = None,
    lora: options.LoRA = None,
    prompts: options.Prompts = None,
    mask: Annotated[
        Path | None, Option(help="A picture of IN's size, white where to paint anew.")
    ] = None,
    strength: Annotated[
        float, Option(help="Share of the steps taken; less than 1 begins with the picture.")
    ] = 1.0,
    negative: options.Negative = "",
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    image_cfg: Annotated[
        float | None,
        Option(help="How much InstructPix2Pix keeps to the picture.", show_default="1.5"),
    ] = None,
    guidance: options.Guidance = None,
    seed: options.Seed = None,
    size: Annotated[
        str | None, Option(metavar="WxH", help="Pixels.", show_default="the picture's")
    ] = None,
    count: options.Count = 1,
    sampler: options.Sampler = None,
    spacing: options.Spacing = None,
    dialect: options.Dialect = "mezzotint",
    clip_skip: options.ClipSkip = None,
    noise: options.Noise = "mezzotint",
    dtype: options.DType = "fp32",
) -> None:
    """Change the picture IN as PROMPT says."""
    width, height = size_of(size) if size is not None else (None, None)
    paths = numbered(out, count)
    for path in paths:
        check_picture(path)
        if not overwrite and path.resolve() in [each.resolve() for each in (image, mask) if each]:
            raise InputError(f"{path} would be written over: name another -o, or say --overwrite")
    texts = named(prompts or [])

    import mezzotint as mz
    from mezzotint.adapters.pictures import opened

    picture = opened(image)
    painted = None if mask is None else opened(mask)
    pipe = mz.load(model, *(part or []), dtype=dtype)
    stream = pipe.stream_edit(
        picture,
        prompt,
        mask=painted,
        strength=strength,
        image_cfg=image_cfg,
        negative=negative,
        steps=steps,
        cfg=cfg,
        guidance=guidance,
        seed=seed,
        width=width,
        height=height,
        batch=count,
        sampler=sampler,
        spacing=spacing,
        dialect=dialect,
        noise=noise,
        clip_skip=clip_skip,
        prompts=texts,
    )
    draw(pipe, stream, lora or [], paths)

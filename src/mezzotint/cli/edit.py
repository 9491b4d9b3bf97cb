"""`mezzotint edit`: a picture and a sentence become another picture."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mezzotint.cli.output import check_picture, numbered, size_of
from mezzotint.errors import InputError


def edit(
    image: Annotated[Path, Argument(metavar="IN", help="The picture to change.")],
    prompt: Annotated[
        str, Argument(help="What the result shows; for InstructPix2Pix, what to do to the picture.")
    ],
    out: Annotated[
        Path, Option("--out", "-o", help="The PNG to write; -n 3 writes NAME-1.png to NAME-3.png.")
    ] = Path("mezzotint.png"),
    overwrite: Annotated[
        bool, Option("--overwrite", help="Write over IN or the mask, if they are named by -o.")
    ] = False,
    model: Annotated[
        str | None,
        Option(help="A checkpoint made for editing: inpainting, InstructPix2Pix or FLUX.1 Fill."),
    ] = None,
    part: Annotated[
        list[str] | None,
        Option(help="A further file, with an autoencoder or a text encoder; may be repeated."),
    ] = None,
    mask: Annotated[
        Path | None, Option(help="A picture of IN's size, white where to paint anew.")
    ] = None,
    strength: Annotated[
        float, Option(help="Share of the steps taken; less than 1 begins with the picture.")
    ] = 1.0,
    negative: Annotated[str, Option(help="What the picture should not show.")] = "",
    steps: Annotated[
        int | None, Option(help="Denoising steps.", show_default="the model's")
    ] = None,
    cfg: Annotated[
        float | None, Option(help="Guidance scale; 1 is none.", show_default="the model's")
    ] = None,
    image_cfg: Annotated[
        float | None,
        Option(help="How much InstructPix2Pix keeps to the picture.", show_default="1.5"),
    ] = None,
    guidance: Annotated[
        float | None, Option(help="Guidance that FLUX.1 is told.", show_default="the model's")
    ] = None,
    seed: Annotated[
        int | None, Option(help="Same seed, same picture; -1 is random.", show_default="random")
    ] = None,
    size: Annotated[
        str | None, Option(metavar="WxH", help="Pixels.", show_default="the picture's")
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
    dtype: Annotated[str, Option(help="What networks compute in: fp32, bf16 or fp16.")] = "fp32",
) -> None:
    """Change the picture IN as PROMPT says."""
    width, height = size_of(size) if size is not None else (None, None)
    paths = numbered(out, count)
    for path in paths:
        check_picture(path)
        if not overwrite and path.resolve() in [each.resolve() for each in (image, mask) if each]:
            raise InputError(f"{path} would be written over: name another -o, or say --overwrite")

    import mezzotint as mz
    from mezzotint.adapters.pictures import opened
    from mezzotint.cli.progress import step_bar
    from mezzotint.files import write_whole
    from mezzotint.pipeline.metadata import png

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
    )
    *_, last = step_bar(stream)
    for path, made in zip(paths, last.output().images, strict=True):
        write_whole(path, png(made))
        print(path)

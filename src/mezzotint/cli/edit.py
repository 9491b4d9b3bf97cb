"""`mezzotint edit`: a picture and a sentence become another picture."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mezzotint.cli import options
from mezzotint.cli.change import expand_of, mask_of
from mezzotint.cli.drawing import draw, named, shares_of
from mezzotint.cli.output import check_picture, numbered, size_of
from mezzotint.cli.savings import savings
from mezzotint.errors import InputError

INSTRUCTED = "storybook-instruct"  # the embedded model that takes instructions


def edit(
    image: Annotated[Path, Argument(metavar="IN", help="The picture to change.")],
    prompt: Annotated[
        str, Argument(help="What the result shows; with --instruct, what to do to the picture.")
    ],
    out: options.Out = Path("mezzotint.png"),
    overwrite: Annotated[
        bool, Option("--overwrite", help="Write over IN or the mask, if they are named by -o.")
    ] = False,
    model: Annotated[
        str | None,
        Option(
            help="As for generate: any can edit, and those made for inpainting, instructions or "
            "filling in do it better.",
            show_default="the embedded storybook",
        ),
    ] = None,
    part: options.Part = None,
    lora: options.LoRA = None,
    saving: options.Saving = None,
    prompts: options.Prompts = None,
    mask: options.Mask = None,
    strength: options.Strength = None,
    expand: options.Expand = None,
    instruct: options.Instruct = False,
    source: options.Source = None,
    keep: options.Keep = 0.8,
    passes: options.Passes = None,
    negative: options.Negative = "",
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    cfg_interval: options.CfgInterval = None,
    image_cfg: options.ImageCfg = None,
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
    low_memory: options.LowMemory = False,
    engine: options.Engine = "auto",
) -> None:
    """Change the picture IN as PROMPT says."""
    width, height = size_of(size) if size is not None else (None, None)
    paths = numbered(out, count)
    given = [Path(each).resolve() for each in (image, mask) if each]
    for path in paths:
        check_picture(path)
        if not overwrite and path.resolve() in given:
            raise InputError(f"{path} would be written over: name another -o, or say --overwrite")
    texts = named(prompts or [])
    shares = None if cfg_interval is None else shares_of(cfg_interval)
    margins = None if expand is None else expand_of(expand)

    import mezzotint as mz
    from mezzotint.pipeline.editing.pictures import read

    saved = savings(saving or [])
    picture = read(image)
    region = None if mask is None else mask_of(mask)
    if instruct and model is None:
        model = INSTRUCTED
    pipe = mz.load(model, *(part or []), dtype=dtype, engine=engine, low_memory=low_memory)
    stream = pipe.stream_edit(
        picture,
        prompt,
        mask=region,
        strength=strength,
        expand=margins,
        instruct=instruct,
        image_cfg=image_cfg,
        passes=passes,
        source=source,
        keep=keep,
        negative=negative,
        steps=steps,
        cfg=cfg,
        cfg_interval=shares,
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
    draw(pipe, stream, lora or [], paths, saved)

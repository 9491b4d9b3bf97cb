"""`mezzotint generate`: a sentence becomes a picture."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mezzotint.cli import options
from mezzotint.cli.controls import controls, pictures
from mezzotint.cli.drawing import draw, named, shares_of
from mezzotint.cli.output import check_picture, numbered, size_of
from mezzotint.cli.savings import savings
from mezzotint.errors import InputError


def generate(
    prompt: Annotated[str, Argument(help="What the picture shows.")],
    out: options.Out = Path("mezzotint.png"),
    negative: options.Negative = "",
    model: Annotated[
        str | None,
        Option(
            help="A folder or file of weights, a name in your models folders, a hub id, or a "
            "variant of the embedded model, such as storybook-unet.",
            show_default="the embedded storybook",
        ),
    ] = None,
    part: options.Part = None,
    lora: options.LoRA = None,
    control: options.Control = None,
    saving: options.Saving = None,
    prompts: options.Prompts = None,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    cfg_interval: options.CfgInterval = None,
    seed: options.Seed = None,
    size: Annotated[
        str | None, Option(metavar="WxH", help="Pixels.", show_default="the model's")
    ] = None,
    count: options.Count = 1,
    sampler: options.Sampler = None,
    spacing: options.Spacing = None,
    dialect: options.Dialect = "mezzotint",
    guidance: options.Guidance = None,
    clip_skip: options.ClipSkip = None,
    noise: options.Noise = "mezzotint",
    dtype: options.DType = "fp32",
    low_memory: options.LowMemory = False,
    engine: options.Engine = "auto",
) -> None:
    """Draw a picture of PROMPT."""
    width, height = size_of(size) if size is not None else (None, None)
    paths = numbered(out, count)
    followed = [picture.resolve() for picture in pictures(control or [])]
    for path in paths:
        check_picture(path)
        if path.resolve() in followed:
            raise InputError(f"{path} is what --control follows: name another -o")
    texts = named(prompts or [])
    shares = None if cfg_interval is None else shares_of(cfg_interval)

    import mezzotint as mz

    saved = savings(saving or [])
    pipe = mz.load(model, *(part or []), dtype=dtype, engine=engine, low_memory=low_memory)
    side = pipe.model.family.size
    steered = controls(control or [], model, (width or side, height or side))
    stream = pipe.stream(
        prompt,
        negative=negative,
        steps=steps,
        cfg=cfg,
        cfg_interval=shares,
        seed=seed,
        width=width,
        height=height,
        batch=count,
        sampler=sampler,
        spacing=spacing,
        dialect=dialect,
        guidance=guidance,
        noise=noise,
        clip_skip=clip_skip,
        prompts=texts,
    )
    draw(pipe, stream, lora or [], paths, [*steered, *saved])

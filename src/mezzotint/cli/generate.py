"""`mezzotint generate`: a sentence becomes a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from mezzotint.cli.output import check_picture, numbered, size_of
from mezzotint.errors import InputError

if TYPE_CHECKING:
    from mezzotint.adapters.lora import LoRAFile


def generate(
    prompt: Annotated[str, Argument(help="What the picture shows.")],
    out: Annotated[
        Path, Option("--out", "-o", help="The PNG to write; -n 3 writes NAME-1.png to NAME-3.png.")
    ] = Path("mezzotint.png"),
    negative: Annotated[str, Option(help="What the picture should not show.")] = "",
    model: Annotated[
        str | None,
        Option(
            help="A folder or file of weights, a name in your models folders, or a hub id.",
            show_default="the embedded storybook",
        ),
    ] = None,
    part: Annotated[
        list[str] | None,
        Option(help="A further file, with an autoencoder or a text encoder; may be repeated."),
    ] = None,
    lora: Annotated[
        list[str] | None,
        Option(help="A LoRA's file or name, and its scale: style or style:0.8; may be repeated."),
    ] = None,
    prompts: Annotated[
        list[str] | None,
        Option(
            "--prompt",
            metavar="NAME=TEXT",
            help="What one text encoder reads instead: text_2='in oils'; may be repeated.",
        ),
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
    dialect: Annotated[
        str, Option(help="Prompt language: mezzotint, a1111, comfyui, or diffusers, without any.")
    ] = "mezzotint",
    guidance: Annotated[
        float | None,
        Option(help="Guidance that FLUX.1 dev and LCMs are told.", show_default="the model's"),
    ] = None,
    clip_skip: Annotated[
        int | None,
        Option(help="CLIP's layer from the end: 1 is the last.", show_default="the model's"),
    ] = None,
    noise: Annotated[
        str, Option(help="Whose noise the seed stands for: mezzotint, diffusers, a1111, comfyui.")
    ] = "mezzotint",
    dtype: Annotated[str, Option(help="What networks compute in: fp32, bf16 or fp16.")] = "fp32",
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

    pipe = mz.load(model, *(part or []), dtype=dtype)
    stream = pipe.stream(
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
        dialect=dialect,
        guidance=guidance,
        noise=noise,
        clip_skip=clip_skip,
        prompts=dict(map(_named, prompts or [])),
    )
    with pipe.attached(*map(_lora, lora or [])):
        *_, last = step_bar(stream)
    for path, image in zip(paths, last.output().images, strict=True):
        write_whole(path, png(image))
        print(path)


def _named(text: str) -> tuple[str, str]:
    name, equals, prompt = text.partition("=")
    if not equals:
        raise InputError(f"--prompt {text!r}: write NAME=TEXT, such as text_2='in oils'")
    return name.strip(), prompt


def _lora(text: str) -> "LoRAFile":
    """The LoRA that NAME or NAME:SCALE stands for."""
    from mezzotint.adapters.lora import lora
    from mezzotint.checkpoints.find import find

    name, _, scale = text.rpartition(":")
    try:
        number = float(scale) if name else 1.0
    except ValueError:  # the colon is one of the path's
        name, number = text, 1.0
    return lora(find(name or text, "lora"), number)

"""`mezzotint convert`: a checkpoint in another form."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def convert(
    source: Annotated[
        list[str],
        Argument(
            metavar="IN...",
            help="A model's folder or file, or its name; and more files with what it lacks.",
        ),
    ],
    out: Annotated[
        Path,
        Argument(metavar="OUT", help="NAME.safetensors, NAME.gguf (denoiser alone), or a folder."),
    ],
    dtype: Annotated[
        str | None, Option(help="fp32, fp16, bf16 or fp8_e4m3.", show_default="as it is")
    ] = None,
    quant: Annotated[
        str | None, Option(help="Of a GGUF: F16, Q8_0, Q4_0, …", show_default="Q8_0")
    ] = None,
    prediction: Annotated[
        str | None, Option(help="What a file predicts that does not tell: eps or v.")
    ] = None,
    force: Annotated[bool, Option("--force", help="Replace what is there.")] = False,
) -> None:
    """Write a checkpoint as diffusers has it, as one file with the original names, or as GGUF."""
    from mezzotint.checkpoints.find import find
    from mezzotint.cli.progress import byte_bar
    from mezzotint.families.files import convert as converter

    with byte_bar() as tick:
        sources = [find(name) for name in source]
        converter.convert(sources, out, dtype, quant, prediction, force, tick)
    print(out)

"""The options that verbs which draw and verbs which measure have in common."""

from typing import Annotated

from typer import Option

MODELS = "the model's"

Steps = Annotated[int | None, Option(help="Denoising steps.", show_default=MODELS)]
Cfg = Annotated[float | None, Option(help="Guidance scale; 1 is none.", show_default=MODELS)]
Sampler = Annotated[
    str | None, Option(help="dpmpp_2m, euler, ddim, … (docs/samplers.md)", show_default=MODELS)
]
Spacing = Annotated[
    str | None, Option(help="Time grid: karras, linspace, trailing, …", show_default=MODELS)
]

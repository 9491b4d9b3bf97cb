"""The options that verbs which draw have in common."""

from pathlib import Path
from typing import Annotated

from typer import Option

_MODELS = "the model's"

Out = Annotated[
    Path, Option("--out", "-o", help="The PNG to write; -n 3 writes NAME-1.png to NAME-3.png.")
]
Count = Annotated[int, Option("-n", help="How many pictures: seeds SEED, SEED+1, …")]
Negative = Annotated[str, Option(help="What the picture should not show.")]
Part = Annotated[
    list[str] | None,
    Option(
        help="A further file, with an autoencoder or a text encoder, or a tokenizer's folder; "
        "may be repeated."
    ),
]
LoRA = Annotated[
    list[str] | None,
    Option(help="A LoRA's file or name, and its scale: style or style:0.8; may be repeated."),
]
Control = Annotated[
    list[str] | None,
    Option(
        metavar="NAME=PICTURE",
        help="What to follow: edges=house.png, depth=map.png, boxes=0.1,0.2,0.5,0.9, or a "
        "ControlNet's file and its map; then :SCALE, or :SCALE:START:END; may be repeated.",
    ),
]
Saving = Annotated[
    list[str] | None,
    Option(
        metavar="NAME[:NUMBER]",
        help="Nearly the same picture, sooner: deepcache:3, first_block:0.1, token_merging:0.5; "
        "may be repeated (docs/savings.md).",
    ),
]
Prompts = Annotated[
    list[str] | None,
    Option(
        "--prompt",
        metavar="NAME=TEXT",
        help="What one text encoder reads instead: text_2='in oils'; may be repeated.",
    ),
]
Steps = Annotated[int | None, Option(help="Denoising steps.", show_default=_MODELS)]
Cfg = Annotated[float | None, Option(help="Guidance scale; 1 is none.", show_default=_MODELS)]
CfgInterval = Annotated[
    str | None,
    Option(
        metavar="START:END",
        help="Guide between these shares of the steps only, which is quicker: 0.1:0.8.",
        show_default="0:1",
    ),
]
Guidance = Annotated[
    float | None,
    Option(help="Guidance that FLUX.1 and LCMs are told.", show_default=_MODELS),
]
Seed = Annotated[
    int | None, Option(help="Same seed, same picture; -1 is random.", show_default="random")
]
Sampler = Annotated[
    str | None, Option(help="dpmpp_2m, euler, ddim, … (docs/samplers.md)", show_default=_MODELS)
]
Spacing = Annotated[
    str | None, Option(help="Time grid: karras, linspace, trailing, …", show_default=_MODELS)
]
Dialect = Annotated[
    str, Option(help="Prompt language: mezzotint, a1111, comfyui, or diffusers, without any.")
]
ClipSkip = Annotated[
    int | None, Option(help="CLIP's layer from the end: 1 is the last.", show_default=_MODELS)
]
Noise = Annotated[
    str, Option(help="Whose noise the seed stands for: mezzotint, diffusers, a1111, comfyui.")
]
DType = Annotated[str, Option(help="What networks compute in: fp32, bf16 or fp16.")]
LowMemory = Annotated[
    bool, Option("--low-memory", help="Slower: networks in memory in turn, pictures in strips.")
]
Engine = Annotated[
    str, Option(help="What executes networks: auto, eager, compiled, … (docs/engines.md)")
]

Mask = Annotated[
    str | None,
    Option(
        metavar="MASK",
        help="Where to paint anew; the rest stays, bit for bit. A picture of IN's size, white "
        "there; box:0.1,0.2,0.5,0.9, its left, top, right and bottom, or in pixels; or word:fox, "
        "where IN shows a word of --source or PROMPT.",
    ),
]
Strength = Annotated[
    float | None,
    Option(
        help="0 gives IN back, 1 begins with noise alone.",
        show_default="0.6; 1 with --mask, --expand, --source",
    ),
]
Expand = Annotated[
    str | None,
    Option(
        metavar="N|SIDE=N,…",
        help="Paint more around IN: 0.5 at every side, or left=128,right=128; shares of the side "
        "up to 1, pixels above.",
    ),
]
Instruct = Annotated[
    bool, Option("--instruct", help="PROMPT says what to do to IN, as InstructPix2Pix takes it.")
]
Source = Annotated[
    str | None,
    Option(
        help="What IN shows: its attention is kept, and only what PROMPT says otherwise changes."
    ),
]
Keep = Annotated[float, Option(help="Share of the steps that --source keeps attention for.")]
Passes = Annotated[
    int | None,
    Option(
        help="Go over each stretch of the steps so often; it joins what is painted better.",
        show_default="1; 4 with --expand",
    ),
]
ImageCfg = Annotated[
    float | None,
    Option(help="How much InstructPix2Pix keeps to the picture.", show_default="1.5"),
]

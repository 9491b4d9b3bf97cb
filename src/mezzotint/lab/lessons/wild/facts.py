"""What a model is made of, and what a picture of some size asks of it, counted from its sizes."""

from collections.abc import Mapping
from functools import cache

import torch
from torch import Tensor, nn

from mezzotint.diffusion import Process, times
from mezzotint.errors import InputError
from mezzotint.families.base import Canvas, Family
from mezzotint.families.storybook import STORYBOOK
from mezzotint.families.text import Encoded
from mezzotint.lab.lessons.calls import default_calls
from mezzotint.lab.lessons.wild.known import KNOWN, Known, Network, Text
from mezzotint.models.clip import CLIPText, CLIPTextParams
from mezzotint.models.dit import DiT, DiTParams
from mezzotint.models.flux import PATCH, Flux, FluxParams
from mezzotint.models.mmdit import MMDiT, MMDiTParams
from mezzotint.models.t5 import T5Encoder, T5Params
from mezzotint.models.unet import UNet, UNetParams
from mezzotint.nn.init import unfilled
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.pipeline.request import complete

Facts = dict[str, object]

POINTS = 100  # of a curve


def row(known: Known) -> Facts:
    """A line of the table: sizes, process, and what makes good pictures."""
    family = known.family
    return {
        "title": known.title,
        "denoiser": _kind(known.network),
        "weights": size_of(known.network),
        "channels": known.autoencoder.latent_channels,
        "factor": known.autoencoder.factor,
        "texts": [{"name": name, "weights": size_of(params)} for name, params in known.texts],
        "process": family.process.name.replace("_", "-"),
        "prediction": family.prediction,
        "sampler": family.sampler,
        "steps": family.steps,
        "cfg": family.cfg,
        "guidance": family.guidance,
        "size": family.size,
        "after": known.after,
        "licence": known.licence,
        "source": known.source,
        "command": f'mezzotint generate "a fox in the snow" --model {known.file}',
    }


def beside(known: Known, size: int) -> Facts:
    """Its noise levels, the steps it takes by default, and what a square picture asks of it.

    Args:
        known: the model.
        size: side of the picture in pixels.

    Raises:
        InputError: it makes no pictures of this size.
    """
    family, channels = known.family, known.autoencoder.latent_channels
    complete(family, "", width=size, height=size)
    side = size // known.autoencoder.factor
    tokens, prompt = attending(known.network, side), prompt_tokens(known)
    return {
        "title": known.title,
        "curve": _curve(family),
        "steps": _default_steps(family, side),
        "pixels": 3 * size**2,
        "latents": channels * side**2,
        "side": side,
        "channels": channels,
        "tokens": tokens,
        "prompt": prompt,
        "joined": isinstance(known.network, MMDiTParams | FluxParams),
        "calls": default_calls(family),
        "shift": _shift(family, side),
    }


def here(pipe: Pipeline) -> Known:
    """The lab's own model, as it was loaded."""
    model, name = pipe.model, pipe.model.family.name
    texts = tuple((_text_name(each.network), each.network.params) for each in model.encoders)
    told = next((each for each in KNOWN.values() if each.family.name == name), None)
    ours = name == STORYBOOK.name
    return Known(
        f"{pipe.source}, loaded here",
        model.family,
        model.network.params,  # pyright: ignore[reportArgumentType]
        model.autoencoder.params,
        texts,
        told.after if told else "",
        told.licence if told else "Apache-2.0, as the package" if ours else "",
        told.source if told else "docs/model-card.md" if ours else "",
        pipe.source,
    )


def attending(network: Network, side: int) -> list[int]:
    """Tokens that attend to each other, level by level, of a latent of ``side``²."""
    if not isinstance(network, UNetParams):
        patch = PATCH if isinstance(network, FluxParams) else network.patch
        return [(side // patch) ** 2]
    levels = [(side // network.patch // 2**k) ** 2 for k in range(len(network.channels))]
    without = {k for k, depth in enumerate(network.depths) if not depth} | {*network.cross_only}
    found = [tokens for k, tokens in enumerate(levels) if k not in without]
    if network.mid_depth and levels[-1] not in found:
        found.append(levels[-1])
    return found


def prompt_tokens(known: Known) -> int:
    """How many tokens of context the denoiser is told: what the family makes of one window each."""
    encoded = [_nothing(params, length) for (_, params), length in _windows(known)]
    canvas = Canvas(known.family.size, known.family.size)
    return known.family.join(encoded, canvas).context.shape[1]


@cache
def size_of(params: Network | Text) -> int:
    """How many weights a network of these sizes has, which is built without them."""
    with unfilled():
        network = _built(params)
    return sum(weight.numel() for weight in network.parameters())


def _built(params: Network | Text) -> nn.Module:
    match params:
        case UNetParams():
            return UNet(params)
        case MMDiTParams():
            return MMDiT(params)
        case FluxParams():
            return Flux(params)
        case DiTParams():
            return DiT(params)
        case CLIPTextParams():
            return CLIPText(params)
        case T5Params():
            return T5Encoder(params)


def _kind(network: Network) -> str:
    match network:
        case UNetParams():
            return "U-Net"
        case MMDiTParams():
            return "MM-DiT"
        case _:
            return "transformer"


def _curve(family: Family) -> Mapping[str, list[float]]:
    """ᾱ and log₁₀ SNR at even shares of the process's time, noisiest last."""
    process = family.process
    share = torch.arange(1, POINTS + 1, dtype=torch.float64) / POINTS
    return _levels(process, process.t_clean + share * (process.t_noise - process.t_clean))


def _default_steps(family: Family, side: int) -> Mapping[str, list[float]]:
    """The times that the family's own sampler visits, but for the clean end."""
    shift = _shift(family, side)
    options = {} if shift is None else {"shift": shift}
    grid = times(family.process, family.steps, family.spacing, **options)
    return _levels(family.process, grid[:-1])


def _shift(family: Family, side: int) -> float | None:
    """What its noise levels are shifted by, where its spacing shifts them."""
    if family.shift is None or not family.spacing.startswith("flow"):
        return None
    return family.shift(side, side)


def _levels(process: Process, t: Tensor) -> Mapping[str, list[float]]:
    return {
        "share": ((t - process.t_clean) / (process.t_noise - process.t_clean)).tolist(),
        "alpha_bar": process.alpha_bar(t).tolist(),
        "log_snr": process.snr(t).clamp(1e-12, 1e12).log10().tolist(),
    }


def _windows(known: Known) -> list[tuple[tuple[str, Text], int]]:
    """Each text encoder with the tokens of a window: a CLIP has a beginning, both have an end."""
    reads = known.family.reads
    if len(reads) != len(known.texts):  # a model that was made for a test
        return [(text, _longest(text[1])) for text in known.texts]
    return [
        (text, read.length + (2 if isinstance(text[1], CLIPTextParams) else 1))
        for text, read in zip(known.texts, reads, strict=True)
    ]


def _longest(params: Text) -> int:
    if isinstance(params, T5Params):
        raise InputError("a T5 reads as many tokens as its family says")
    return params.length


def _nothing(params: Text, length: int) -> Encoded:
    """What a text encoder would make of one window, with no numbers in it."""
    if isinstance(params, T5Params):
        return Encoded(torch.empty(1, length, params.width, device="meta"), None)
    width = params.tower.width
    pooled = torch.empty(1, params.projection or width, device="meta")
    return Encoded(torch.empty(1, length, width, device="meta"), pooled)


def _text_name(network: CLIPText | T5Encoder) -> str:
    if isinstance(network, T5Encoder):
        return "T5"
    tower = network.params.tower
    return f"CLIP, {tower.layers} layers of {tower.width}"

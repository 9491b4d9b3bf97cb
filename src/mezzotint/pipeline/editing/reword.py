"""Another prompt for a real picture: back to noise, and drawn again with its attention kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from textwrap import shorten

from torch import Tensor

from mezzotint.diffusion import denoiser
from mezzotint.diffusion.samplers import Step
from mezzotint.errors import InputError, choose
from mezzotint.families.base import Canvas, Model
from mezzotint.pipeline.attaching import known_words
from mezzotint.pipeline.drawing import At, Ground, Plan
from mezzotint.pipeline.inversion import inverted, kept
from mezzotint.pipeline.prompts import DIALECTS, parse
from mezzotint.pipeline.request import MAX_STEPS, Options
from mezzotint.pipeline.words import read

SAMPLER = "ddim"  # which inversion runs backwards
NOT_DONE = {
    "cfg_interval": "source is guided throughout",
    "negative": "source is what is guided away from",
    "prompts": "source says one text, which all text encoders read",
    "clip_skip": "source is read by the layer that the model was trained with",
}


@dataclass(frozen=True)
class Reworded:
    """Steps from the noise that a picture is made of to what another prompt makes of it.

    Attributes:
        model: whose network.
        source: what the picture shows now.
        keep: share of the steps for which its attention is kept.
    """

    model: Model
    source: str
    keep: float

    def __call__(self, plan: Plan, ground: Ground, at: At) -> Iterator[Step]:
        """Steps back to noise, then as many of the request's prompt; see ``Subject.steps``."""
        model, request, grid = self.model, plan.request, plan.grid
        if ground.latents is None:
            raise TypeError("there is no picture to be drawn again")
        canvas = Canvas(request.height, request.width)
        dialect = DIALECTS[request.dialect]
        source, target = read(model, [self.source, request.prompt], canvas, dialect)
        family, network = model.family, model.network_for(source.told, request.guidance)
        ask = denoiser(network, family.process, family.prediction)

        def denoise(x: Tensor, t: Tensor) -> Tensor:
            at(0.0)  # to bring it back to noise is no part of the sampling
            return ask(x, t)

        noise, total = ground.latents, 2 * (len(grid) - 1)
        for step in inverted(denoise, noise, grid, family.process):
            noise = step.x
            yield replace(step, total=total)
        for step in kept(
            *(model, noise, source, target, grid, request.cfg, self.keep),
            guidance=request.guidance,
            within=ground.mask,
            at=at,
        ):
            yield replace(step, index=total // 2 + step.index, total=total)


def refuse_others(model: Model, texts: Mapping[str, str], options: Options) -> None:
    """See that nothing is asked for that a source leaves no place for.

    Args:
        model: whose prompts they are.
        texts: the prompt and the source, by their names.
        options: of the result.

    Raises:
        InputError: something is, or a text is not understood.
    """
    for name, reason in NOT_DONE.items():
        if options.get(name):
            raise InputError(f"{name}: {reason}, leave it out")
    dialect = choose("dialect", options.get("dialect", "mezzotint"), DIALECTS)
    for name, text in texts.items():
        first, *others = parse(text, MAX_STEPS, dialect, known_words(model)).parts
        if others or first.weight != 1 or len(first.schedule) > 1:
            raise InputError(
                f"{name} {shorten(text, 40)!r}: with source it says one thing throughout, leave "
                "out AND, a weight at the end, [a:b:0.5] and [a|b]"
            )


def sampler(name: str | None) -> str:
    """The sampler, if nobody wants another.

    Raises:
        InputError: somebody does.
    """
    if name not in (None, SAMPLER):
        raise InputError(f"sampler {name!r}: source is drawn again with {SAMPLER}, leave it out")
    return SAMPLER

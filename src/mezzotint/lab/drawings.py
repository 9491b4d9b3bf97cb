"""A drawing as a page watches it: every step as an event, with pictures in it."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from mezzotint.checkpoints.find import offered
from mezzotint.errors import InputError
from mezzotint.pipeline.pipeline import Pipeline, Step
from mezzotint.pipeline.request import Options

VIEWS = ("x", "x0", "eps")
QUALITY = 85  # of the WebP that pages are sent


@dataclass(frozen=True)
class Event:
    """Something that happened: its name, and what is told of it, as JSON can say it."""

    name: str
    told: dict[str, Any]


def drawing(pipe: Pipeline, prompt: str, options: Options, views: Sequence[str]) -> Iterator[Event]:
    """Events "step" with pictures of what is asked for, then "done"; "refused" for bad input.

    Args:
        pipe: what draws.
        prompt: of the picture.
        options: as ``Pipeline.generate`` has them.
        views: of ``VIEWS``: the noisy latents decoded, the prediction of the clean picture, and
            the noise that is predicted, its first three channels.
    """
    try:
        for step in pipe.stream(prompt, **options):
            pictures = {view: as_url(_view(pipe, step, view)) for view in views}
            told = {"index": step.index, "total": step.total, "t": step.t, "pictures": pictures}
            yield Event("step", told)
            if step.index == step.total - 1:
                yield Event("done", {"recipe": step.output().images[0].info["parameters"]})
    except InputError as error:
        yield Event("refused", {"why": str(error)})


def changes_model(prompt: str) -> bool:
    """Whether drawing a prompt attaches something to the model for as long as it takes."""
    return "<" in prompt or any(word in prompt for word in offered("embedding"))


def as_url(picture: Image.Image) -> str:
    """A picture as an address that holds it."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _view(pipe: Pipeline, step: Step, view: str) -> Image.Image:
    match view:
        case "x":
            return step.decode(step.x)[0]
        case "eps":
            return _noise(pipe, step)
        case _:
            return step.preview()[0]


def _noise(pipe: Pipeline, step: Step) -> Image.Image:
    """ε̂ = (x − α·x̂₀)/σ, a pixel a latent; grey where the last step has left none."""
    process, t = pipe.model.family.process, torch.tensor(step.t, dtype=torch.float64)
    alpha, sigma = float(process.alpha(t)), float(process.sigma(t))
    eps = (step.x[0] - alpha * step.x0[0]) / sigma if sigma > 0 else torch.zeros_like(step.x[0])
    return _latent_picture(eps)


def _latent_picture(latent: Tensor) -> Image.Image:
    """The first three channels (c, h, w) as colours; four widths of a normal are black to white."""
    levels = (latent[:3] / 4 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).cpu().contiguous().numpy())

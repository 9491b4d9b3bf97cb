"""What a network takes a noised picture for, and where two of its answers differ."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mezzotint.adapters.negatives import negative_rows
from mezzotint.diffusion import denoiser
from mezzotint.diffusion.noise import seeded
from mezzotint.families.base import Conditioning, Model

NOISES = (0.4, 0.5, 0.6, 0.7)  # shares of noise, σ/(α + σ), with which a picture is looked at
EDGE = 0.15  # half the height of the step at a mask's edge


@dataclass(frozen=True)
class Views:
    """A picture as a network looks at it.

    Attributes:
        noised: with more and more noise, (1, c, h, w), and the times that have it.
        beside: what a network made for editing is shown of it.
    """

    noised: Sequence[tuple[Tensor, Tensor]]
    beside: Tensor | None


def looked_at(model: Model, latents: Tensor) -> Views:
    """A picture's latents (1, c, h, w) as they are looked at, with the same noise every time."""
    process, draw = model.family.process, seeded([0])

    def view(noise: float) -> tuple[Tensor, Tensor]:
        t = process.time_of(torch.tensor(noise / (1 - noise), dtype=torch.float64))
        return process.diffuse(latents, draw(latents), t).to(latents), t

    return Views([view(noise) for noise in NOISES], _beside(model, latents))


def taken_for(model: Model, told: Conditioning, views: Views) -> list[Tensor]:
    """x̂₀ (1, c, h, w) of each view."""
    negative_rows(model.network, (False,))
    network = model.network_for(replace(told, beside=views.beside))
    denoise = denoiser(network, model.family.process, model.family.prediction)
    return [denoise(x, t) for x, t in views.noised]


def contrast(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """How far answers differ (1, 1, h, w), a sixteenth of the sides around each place.

    It is the mean over the channels, before DiffEdit clips it (Couairon et al. 2210.11427, 3.2).
    """
    apart = torch.stack([a - b for a, b in zip(one, other, strict=True)])
    return _blurred(apart.abs().mean(2, keepdim=True).sum(0))


def otsu(x: Tensor) -> Tensor:
    """The threshold that parts values in two where the variance between the parts is largest.

    Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    values = x.flatten().sort().values
    below = torch.arange(1, len(values), device=x.device)
    over, sums = len(values) - below, values.cumsum(0)
    apart = sums[:-1] / below - (sums[-1] - sums[:-1]) / over
    at = int((below * over * apart.square()).argmax())
    return (values[at] + values[at + 1]) / 2


def above(threshold: Tensor | float, x: Tensor) -> Tensor:
    """0 where x in [0, 1] is below a threshold, 1 where it is above, a smooth step in between."""
    step = ((x - threshold + EDGE) / (2 * EDGE)).clamp(0, 1)
    return step.square() * (3 - 2 * step)


def resized(maps: Tensor, sides: tuple[int, int]) -> Tensor:
    """Maps (1, n, h, w) at another height and width."""
    return F.interpolate(maps, sides, mode="bilinear", align_corners=False)


def _beside(model: Model, latents: Tensor) -> Tensor | None:
    """What a network made for editing is told: the picture, nothing of it to be painted anew."""
    takes = model.family.beside
    if takes is None:
        return None
    image = model.decode_latents(latents)
    return takes.channels(model, image, torch.zeros_like(image[:, :1]) if takes.masked else None)


def _blurred(x: Tensor) -> Tensor:
    """The mean over a sixteenth of the picture's sides each way."""
    reach = max(1, min(x.shape[2:]) // 16)
    return F.avg_pool2d(x, 2 * reach + 1, 1, reach, count_include_pad=False)

"""The autoencoder: pictures through a small latent and back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mezzotint.models.autoencoder import (
    Autoencoder,
    AutoencoderParams,
    kl_to_normal,
    sample_latents,
)
from mezzotint.training.data.pictures import Pictures, Sets
from mezzotint.training.draw import Draw, visits
from mezzotint.training.exports import write_network
from mezzotint.training.images import mosaic, to_tensor
from mezzotint.training.task import Batch, Metrics
from mezzotint.training.tasks.texture import texture_distance

SCALES = (0.5, 0.75)  # of the equivariance term (Kouzelis et al. 2025, section 4)
SHOWN = 12  # pictures in the grid


@dataclass(frozen=True)
class AutoencoderRecipe:
    """The settings of this task.

    Attributes:
        params: the network.
        crop: pixels along a side of the random windows it is trained on.
        whole_share: share of the steps, the last ones, that see whole pictures instead, fewer of
            them for the same cost. Normalisation makes of a window something else than of a whole
            picture, so a network that only ever saw windows is worse at pictures.
        gradient_weight: weight of the difference of image gradients.
        kl_weight: weight of the KL divergence.
        equivariance_share: share of the batches with the equivariance term.
        begin_run: the finished run, a sibling of this one's folder, whose encoder stays as it is
            and whose decoder goes on; if empty, both begin with random weights.
        latent_noise: the most noise that the decoder is shown latents with, in their standard
            deviations. A denoiser's latents are never quite right, and a decoder that has only
            seen an encoder's draws what is wrong in them as if it were there.
        texture_weight: weight of the difference of textures (``tasks.texture``).
    """

    params: AutoencoderParams
    crop: int
    whole_share: float
    gradient_weight: float
    kl_weight: float
    equivariance_share: float
    begin_run: str
    latent_noise: float
    texture_weight: float


class AutoencoderTask:
    """L1, image gradients and texture, a whiff of KL, and equivariance on some batches (EQ-VAE)."""

    def __init__(
        self,
        recipe: AutoencoderRecipe,
        seed: int,
        steps: int,
        sets: Sets,
        device: torch.device,
        begun: Autoencoder | None = None,
    ) -> None:
        self.recipe, self.seed = recipe, seed
        self.pictures, self.held_out = sets.train, sets.held_out
        self.device = device
        self.window_steps = steps - round(recipe.whole_share * steps)
        self.encodes = begun is None
        self.network = Autoencoder(recipe.params) if begun is None else begun
        self.network.requires_grad_(True)
        for encoding in (self.network.encoder, self.network.to_moments):
            encoding.requires_grad_(self.encodes)

    def batch(self, draw: Draw) -> Batch:
        """``images`` uint8: windows (b, crop, crop, 3), or whole pictures and so many fewer."""
        size, crop = self.pictures.size, self.recipe.crop
        first = draw.step * draw.batch
        indices = visits(self.seed, len(self.pictures), first, draw.batch)[draw.rows]
        if draw.step >= self.window_steps:
            chosen = indices[:: max(1, size // crop) ** 2]
            return {"images": torch.from_numpy(self.pictures.pictures(chosen))}
        corners = draw.integers("corners", [size - crop + 1] * 2)
        windows = self.pictures.crops(indices, corners[:, 0], corners[:, 1], crop)
        return {"images": torch.from_numpy(windows)}

    def loss(self, batch: Batch, draw: Draw) -> tuple[Tensor, Metrics]:
        """The weighted sum of the terms."""
        recipe = self.recipe
        images = to_tensor(batch["images"])
        mean, logvar = self.network.encode(images)
        mean, logvar = mean.float(), logvar.float()
        noise = draw.normal("latent", *mean.shape[1:])
        noise = noise[:: -(-len(noise) // len(mean))]
        z = sample_latents(mean, logvar, noise)
        if recipe.latent_noise:
            z = z + recipe.latent_noise * _roughness(z, draw) * noise
        if draw.coin("equivariance") < recipe.equivariance_share:
            z, images = _transform(z, images, draw)
        decoded = self.network.decode(z).float()
        l1 = (decoded - images).abs().mean()
        gradient = gradient_distance(decoded, images)
        kl = kl_to_normal(mean, logvar).mean()
        loss = l1 + recipe.gradient_weight * gradient + self.encodes * recipe.kl_weight * kl
        told = {"l1": l1, "gradient": gradient, "kl": kl}
        if recipe.texture_weight:
            told["texture"] = texture_distance(decoded, images)
            loss = loss + recipe.texture_weight * told["texture"]
        return loss, told

    def validate(self) -> dict[str, float]:
        """PSNR in dB and L1 of whole held-out pictures, from the latent's mean."""
        psnr: list[Tensor] = []
        l1: list[Tensor] = []
        for first in range(0, len(self.held_out), 64):
            images, decoded = self._reconstruct(first, min(first + 64, len(self.held_out)))
            mse = (images - decoded).square().mean((1, 2, 3)) / 4  # pixels span 2, PSNR's peak is 1
            psnr.append(-10 * mse.clamp_min(1e-10).log10())
            l1.append((images - decoded).abs().mean((1, 2, 3)))
        return {"psnr": torch.cat(psnr).mean().item(), "l1": torch.cat(l1).mean().item()}

    def grid(self) -> Image.Image:
        """Held-out pictures above, their reconstructions below."""
        images, decoded = self._reconstruct(0, min(SHOWN, len(self.held_out)))
        return mosaic(torch.cat([images, decoded]), columns=len(images))

    def export(self, folder: Path) -> None:
        """Write the network as ``autoencoder``."""
        write_network(folder, "autoencoder", self.network, self.network.params)

    def _reconstruct(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        chosen: Pictures = self.held_out.pictures(np.arange(first, last))
        images = to_tensor(torch.from_numpy(chosen).to(self.device))
        mean, _ = self.network.encode(images)
        return images, self.network.decode(mean).float().clamp(-1, 1)


def _roughness(z: Tensor, draw: Draw) -> Tensor:
    """The noise of each latent (b, c, 1, 1): none for half, for others up to a channel's spread."""
    chances = torch.from_numpy(draw.chances("roughness")).to(z)[: len(z)]
    spread = z.detach().std((0, 2, 3), keepdim=True)
    return (2 * chances - 1).clamp_min(0)[:, None, None, None] * spread


def gradient_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of horizontal and vertical gradients at three scales.

    L1 alone is content with blurred edges; at each scale this term asks for the same edges.
    """
    total = a.new_zeros(())
    difference = a - b  # gradients are linear, and so is the pooling
    for _ in range(3):
        across = (difference[..., :, 1:] - difference[..., :, :-1]).abs().mean()
        down = (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
        total = total + (across + down) / 2
        difference = F.avg_pool2d(difference, 2)
    return total / 3


def _transform(z: Tensor, images: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """The same rotation and scaling of latent and picture (EQ-VAE, Kouzelis et al. 2025, eq. 5).

    The decoder has to give τ(x) for τ(z), which makes latents smooth and easier to model.
    """
    turns = int(draw.coin("turns") * 4)
    choice = int(draw.coin("scale") * (len(SCALES) + 1))
    z, images = torch.rot90(z, turns, (2, 3)), torch.rot90(images, turns, (2, 3))
    if choice < len(SCALES):
        factor, side = images.shape[-1] // z.shape[-1], max(1, round(z.shape[-1] * SCALES[choice]))
        z, images = (
            F.interpolate(x, (size, size), mode="bilinear", antialias=True)
            for x, size in ((z, side), (images, side * factor))
        )
    return z, images

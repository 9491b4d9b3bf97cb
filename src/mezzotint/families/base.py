"""What a family of checkpoints is, and what a loaded checkpoint can do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.diffusion import Prediction, Process
from mezzotint.models.autoencoder import Autoencoder, AutoencoderParams
from mezzotint.models.clip import CLIPText, CLIPTextParams
from mezzotint.models.unet import UNet, UNetParams


@dataclass(frozen=True)
class Family:
    """Everything that checkpoints of one kind have in common.

    Attributes:
        name: what it is called in manifests and metadata.
        process: how noise was mixed in when it was trained.
        prediction: what its network predicts.
        time_scale: the network is told the process's native time multiplied by this.
        text_skip: text layers left out at the end of the context (Stable Diffusion XL leaves 1).
        size: side of the pictures it was trained on, in pixels.
        smallest, largest: sides that it can be asked for, in pixels.
        steps, cfg, sampler, spacing: what makes good pictures.
    """

    name: str
    process: Process
    prediction: Prediction
    time_scale: float
    autoencoder: AutoencoderParams
    text: CLIPTextParams
    text_skip: int
    unet: UNetParams
    size: int
    smallest: int
    largest: int
    steps: int
    cfg: float
    sampler: str
    spacing: str

    @property
    def multiple(self) -> int:
        """The sides of a picture are multiples of this many pixels."""
        return self.autoencoder.factor


@dataclass(frozen=True)
class Part:
    """A network of a model, and what published files call its tensors.

    Attributes:
        module: the network.
        maps: diffusers' or transformers' names first, then those of the original release.
    """

    module: nn.Module
    maps: tuple[KeyMap, ...]


@dataclass(frozen=True)
class Conditioning:
    """Encoded prompts: ``context`` (b, n, d) a vector a token, ``pooled`` (b, d) one a prompt."""

    context: Tensor
    pooled: Tensor

    def __add__(self, other: "Conditioning") -> "Conditioning":
        """Both, one after the other in the batch."""
        return Conditioning(
            torch.cat([self.context, other.context]), torch.cat([self.pooled, other.pooled])
        )


@dataclass(frozen=True)
class Model:
    """A loaded checkpoint: networks, tokenizer, and the scale of the latents.

    ``latent_mean`` and ``latent_std`` (1, c, 1, 1) bring the autoencoder's latents to zero mean
    and unit variance, which is what the processes assume of x₀.
    """

    family: Family
    network: UNet
    autoencoder: Autoencoder
    text: CLIPText
    tokenizer: Tokenizer
    latent_mean: Tensor
    latent_std: Tensor
    digest: str

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.latent_mean.device

    @property
    def dtype(self) -> torch.dtype:
        """What the networks compute in; latents and images are float32 outside of them."""
        return next(self.network.parameters()).dtype

    def encode_prompts(self, prompts: Sequence[str]) -> Conditioning:
        """Encode ``prompts``; what a tokenizer cuts off is told by ``cut_from``."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(prompts))]
        tokens = torch.tensor(ids, device=self.latent_mean.device)
        context, pooled = self.text(tokens, skip=self.family.text_skip)
        return Conditioning(context, pooled)

    def cut_from(self, prompt: str) -> str:
        """The end of ``prompt`` that is too long to be read, empty where all of it is."""
        overflow = self.tokenizer.encode(prompt).overflowing
        return prompt[overflow[0].offsets[1][0] :].strip() if overflow else ""

    def network_for(self, conditioning: Conditioning) -> Callable[[Tensor, Tensor], Tensor]:
        """The network as a function of (x, native time) alone, under this conditioning."""
        pooled = conditioning.pooled if self.family.unet.y_width else None

        def network(x: Tensor, t: Tensor) -> Tensor:
            steps = (t.float().to(x.device) * self.family.time_scale).expand(x.shape[0])
            return self.network(x.to(self.dtype), steps, conditioning.context, pooled).to(x)

        return network

    def encode_images(self, images: Tensor) -> Tensor:
        """Latents (b, c, h, w) of zero mean and unit variance of images (b, 3, H, W) in [−1, 1]."""
        mean, _ = self.autoencoder.encode(images.to(self.dtype))
        return (mean.float() - self.latent_mean) / self.latent_std

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Images (b, 3, H, W) in [−1, 1] of latents (b, c, h, w)."""
        scaled = latents * self.latent_std + self.latent_mean
        return self.autoencoder.decode(scaled.to(self.dtype)).float().clamp(-1, 1)

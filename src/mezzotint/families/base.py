"""What a family of checkpoints is, and what a loaded checkpoint can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mezzotint.checkpoints.keymap import KeyMap
from mezzotint.diffusion import Prediction, Process
from mezzotint.engines.base import Engine, eager
from mezzotint.engines.remembered import remembered
from mezzotint.families.text import Encoded, Reads, TextEncoder
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.tiny_autoencoder import TinyAutoencoder

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""What networks can be told to compute in."""


@dataclass(frozen=True)
class Conditioning:
    """What a network is told beside the latents and the time.

    Attributes:
        context: encoded prompts (b, n, d), a vector a token.
        vector: (b, d), one a prompt.
        beside: (b, c, h, w), what is joined to the latents along the channels; see ``Beside``.
    """

    context: Tensor
    vector: Tensor | None
    beside: Tensor | None = None

    def __add__(self, other: "Conditioning") -> "Conditioning":
        """Both, one after the other in the batch."""
        return Conditioning(
            torch.cat([self.context, other.context]),
            _both(self.vector, other.vector),
            _both(self.beside, other.beside),
        )


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return None if one is None or other is None else torch.cat([one, other])


@dataclass(frozen=True)
class Canvas:
    """What some families are told of a picture beside the prompt.

    Attributes:
        height, width: pixels.
        negative: whether it is what the picture should not be.
    """

    height: int
    width: int
    negative: bool = False


@dataclass(frozen=True)
class Beside:
    """What a network made for editing takes of a picture, joined to the latents.

    Attributes:
        purpose: what it was made for, in words.
        masked: whether a mask tells what of the picture is painted anew; without, all may change.
        image_cfg: the scale of guidance by the picture that makes good edits; None where the
            network always sees the picture.
        channels: (model, images (b, 3, H, W) in [−1, 1], masks (b, 1, H, W) of 0 and 1, or None) →
            what is joined (b, c, h, w).
        keeps: share of the greatest difference from the picture; what comes out less different is
            put back as it was, unless a mask says otherwise. 0 shows all as it is drawn.
    """

    purpose: str
    masked: bool
    image_cfg: float | None
    channels: "Callable[[Model, Tensor, Tensor | None], Tensor]"
    keeps: float = 0.0


@dataclass(frozen=True)
class Family:
    """Everything that checkpoints of one kind have in common.

    Attributes:
        name: what it is called in manifests and metadata.
        release: how its original files are laid out, a name in ``families.keys.original.RELEASES``.
        process: how noise was mixed in when it was trained.
        prediction: what its network predicts.
        time_scale: the network is told the process's native time multiplied by this.
        latent_mean, latent_std: of the autoencoder's latents, where a checkpoint says nothing else.
        reads: how each of its text encoders is read, in the order of ``join``.
        join: what the network is told of what each text encoder made, all of the same batch.
        zero_blank: whether an empty negative prompt was trained as zeros, rather than encoded.
        size: side of the pictures it was trained on, in pixels.
        smallest, largest: sides that it can be asked for, in pixels.
        multiple: the sides of a picture are multiples of this many pixels.
        steps, cfg, sampler, spacing: what makes good pictures.
        stops_short: whether DDIM and PNDM end at the cleanest time trained on, not at clean data.
        shift: of the noise levels, from the sides of the latent; None where there is no such thing.
        guidance: the scale that a network which guidance was distilled into is told; None where it
            is not told any.
        beside: what its network takes of a picture; None where it draws from a prompt alone.
    """

    name: str
    release: str
    process: Process
    prediction: Prediction
    time_scale: float
    latent_mean: float
    latent_std: float
    reads: tuple[Reads, ...]
    join: Callable[[Sequence[Encoded], Canvas], Conditioning]
    zero_blank: bool
    size: int
    smallest: int
    largest: int
    multiple: int
    steps: int
    cfg: float
    sampler: str
    spacing: str
    stops_short: bool
    shift: Callable[[int, int], float] | None
    guidance: float | None
    beside: Beside | None = None


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
class Model:
    """A loaded checkpoint: networks, and the scale of the latents.

    Attributes:
        network: (x, timesteps, context, vector) → prediction, a U-Net or a transformer.
        encoders: in the order in which the family names them.
        latent_mean, latent_std: (1, c, 1, 1); they bring the autoencoder's latents to zero mean and
            unit variance, which is what the processes assume of x₀.
        maps: the published names of each part's tensors, as ``Part`` has them.
        digest: ten hex digits that stand for the weights, empty where nobody has asked.
        engine: what executes the network and the autoencoder.
    """

    family: Family
    network: nn.Module
    autoencoder: Autoencoder | TinyAutoencoder
    encoders: tuple[TextEncoder, ...]
    latent_mean: Tensor
    latent_std: Tensor
    maps: Mapping[str, tuple[KeyMap, ...]]
    digest: str
    engine: Engine = eager

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.latent_mean.device

    @property
    def dtype(self) -> torch.dtype:
        """What the networks compute in; latents and images are float32 outside of them."""
        return next(self.network.parameters()).dtype

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The networks: "network", "autoencoder", and "text", "text_2" … for the encoders."""
        texts = {text_name(k): encoder.network for k, encoder in enumerate(self.encoders)}
        return {"network": self.network, "autoencoder": self.autoencoder, **texts}

    @property
    def parts(self) -> dict[str, Part]:
        """The networks with their published names."""
        return {
            name: Part(module, self.maps.get(name, ())) for name, module in self.modules.items()
        }

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return self.autoencoder.params.latent_channels

    @property
    def factor(self) -> int:
        """Pixels of a picture along one pixel of its latent."""
        return self.autoencoder.params.factor

    def encode_prompts(self, prompts: Sequence[str], canvas: Canvas | None = None) -> Conditioning:
        """Encode ``prompts`` as they stand; what is too long for an encoder is cut off.

        Args:
            prompts: without syntax.
            canvas: of the family's own size if it is not given.
        """
        canvas = canvas or Canvas(self.family.size, self.family.size)
        encoded = [encoder(encoder.windows(prompts)) for encoder in self.encoders]
        return self.family.join(encoded, canvas)

    def network_for(
        self, conditioning: Conditioning, guidance: float | None = None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """The network as a function of (x, native time) alone, under this conditioning.

        From call to call it remembers what the network reads in the prompts, while that holds.

        Args:
            conditioning: as many prompts as x has rows.
            guidance: what a network with ``Family.guidance`` is told instead of that.
        """
        family = self.family
        told = guidance if guidance is not None else family.guidance
        context = conditioning.context.to(self.dtype)
        vector = None if conditioning.vector is None else conditioning.vector.to(self.dtype)
        beside = () if conditioning.beside is None else (conditioning.beside,)
        recall = remembered(self.network, context)

        def network(x: Tensor, t: Tensor) -> Tensor:
            rows = x.shape[0]
            steps = (t.float().to(x.device) * family.time_scale).expand(rows)
            scale = () if told is None else (torch.full((rows,), told, device=x.device),)
            joined = torch.cat([x, *beside], dim=1).to(self.dtype)
            inputs = joined, steps, context, vector, *scale
            return self.engine(self.network, *inputs, **recall()).to(x)

        return network

    def encode_images(self, images: Tensor) -> Tensor:
        """Latents (b, c, h, w) of zero mean and unit variance of images (b, 3, H, W) in [−1, 1]."""
        encoded = self.engine(self.autoencoder.encode, images.to(self.dtype))
        mean = encoded if isinstance(encoded, Tensor) else encoded[0]  # and its variance
        return (mean.float() - self.latent_mean) / self.latent_std

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Images (b, 3, H, W) in [−1, 1] of latents (b, c, h, w)."""
        scaled = latents * self.latent_std + self.latent_mean
        return self.engine(self.autoencoder.decode, scaled.to(self.dtype)).float().clamp(-1, 1)


def text_name(k: int) -> str:
    """What the text encoder of index ``k`` is called among a model's parts."""
    return f"text_{k + 1}" if k else "text"


def constant(shift: float) -> Callable[[int, int], float]:
    """``Family.shift`` by the same at every size."""

    def of(height: int, width: int) -> float:
        return shift

    return of


def first_alone(encoded: Sequence[Encoded], canvas: Canvas) -> Conditioning:
    """``Family.join`` of one encoder whose pooled vector is not used: Stable Diffusion 1.x, 2.x."""
    return Conditioning(encoded[0].context, None)


def first_pooled(encoded: Sequence[Encoded], canvas: Canvas) -> Conditioning:
    """``Family.join`` of one encoder whose pooled vector conditions as well."""
    return Conditioning(encoded[0].context, encoded[0].pooled)

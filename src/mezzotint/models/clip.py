"""CLIP: a text and an image tower that meet in one space (Radford et al. 2021)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.errors import InputError
from mezzotint.nn.attention import Attention, to_tokens

Activation = Literal["gelu", "quick_gelu"]


@dataclass(frozen=True)
class TowerParams:
    """The sizes of a stack of transformer layers.

    Attributes:
        width: of the tokens.
        layers: their number.
        heads: attention heads of a layer.
        hidden: width inside a layer's feed-forward.
        activation: "quick_gelu" (OpenAI's) or "gelu" (OpenCLIP's).
    """

    width: int
    layers: int
    heads: int
    hidden: int
    activation: Activation


@dataclass(frozen=True)
class CLIPTextParams:
    """The sizes of a text tower.

    Attributes:
        tower: the transformer layers.
        vocabulary: number of tokens.
        length: positions that a prompt can have.
        end_token: the token at whose first place a prompt is summed up.
        projection: width of the space shared with images, 0 for no projection into one.
    """

    tower: TowerParams
    vocabulary: int
    length: int
    end_token: int
    projection: int


@dataclass(frozen=True)
class CLIPVisionParams:
    """The sizes of an image tower.

    Attributes:
        tower: the transformer layers.
        size: pixels along each side of an image.
        patch: pixels along each side of a patch.
        projection: width of the space shared with text.
    """

    tower: TowerParams
    size: int
    patch: int
    projection: int


class CLIPText(nn.Module):
    """A causal transformer over the tokens of a prompt."""

    def __init__(self, params: CLIPTextParams) -> None:
        super().__init__()
        self.params = params
        width = params.tower.width
        self.tokens = nn.Embedding(params.vocabulary, width)
        self.positions = nn.Embedding(params.length, width)
        self.layers = nn.ModuleList(_Layer(params.tower) for _ in range(params.tower.layers))
        self.norm_out = nn.LayerNorm(width)
        self.project = _projection(width, params.projection)
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions.weight, std=0.01)

    def forward(self, tokens: Tensor, skip: int = 0, normed: bool = True) -> tuple[Tensor, Tensor]:
        """Context of a prompt, and the prompt as one vector.

        Args:
            tokens: (b, n), each row with an end token; n ≤ ``params.length``.
            skip: layers to leave out at the end, for the context alone.
            normed: whether the context passes the final normalisation.

        Returns:
            Context (b, n, width), and the vector (b, projection or width) of the last layer.

        Raises:
            InputError: there are more tokens than positions.
        """
        n = tokens.shape[1]
        if n > self.params.length:
            raise InputError(f"{n} tokens: a prompt can have at most {self.params.length}")
        x = self.tokens(tokens) + self.positions.weight[:n]
        context, last = _run(self.layers, x, skip, causal=True)
        context = self.norm_out(context) if normed else context
        end = (tokens == self.params.end_token).int().argmax(dim=1)
        rows = torch.arange(len(tokens), device=tokens.device)
        return context, self.project(self.norm_out(last[rows, end]))


class CLIPVision(nn.Module):
    """A transformer over the patches of an image and one token more, which sums it up."""

    def __init__(self, params: CLIPVisionParams) -> None:
        super().__init__()
        self.params = params
        width = params.tower.width
        self.patches = nn.Conv2d(3, width, params.patch, stride=params.patch, bias=False)
        self.summary = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positions = nn.Embedding((params.size // params.patch) ** 2 + 1, width)
        self.norm_in = nn.LayerNorm(width)
        self.layers = nn.ModuleList(_Layer(params.tower) for _ in range(params.tower.layers))
        self.norm_out = nn.LayerNorm(width)
        self.project = _projection(width, params.projection)
        nn.init.normal_(self.patches.weight, std=(3 * params.patch**2) ** -0.5)
        nn.init.normal_(self.positions.weight, std=width**-0.5)

    def forward(self, images: Tensor, skip: int = 0) -> tuple[Tensor, Tensor]:
        """Features of an image, and the image as one vector.

        Args:
            images: (b, 3, size, size), normalised as the tower was trained.
            skip: layers to leave out at the end, for the features alone.

        Returns:
            Features (b, 1 + patches, width), not normalised, and the vector (b, projection).

        Raises:
            InputError: images of another size.
        """
        height, width = images.shape[-2:]
        size = self.params.size
        if (height, width) != (size, size):
            raise InputError(f"image size {width}x{height}: this image tower takes {size}x{size}")
        patches = to_tokens(self.patches(images))
        summary = self.summary.to(patches.dtype).expand(len(images), 1, -1)
        x = torch.cat([summary, patches], dim=1) + self.positions.weight
        features, last = _run(self.layers, self.norm_in(x), skip, causal=False)
        return features, self.project(self.norm_out(last[:, 0]))


class CLIP(nn.Module):
    """Both towers and the temperature that they are trained with."""

    def __init__(self, text: CLIPTextParams, vision: CLIPVisionParams) -> None:
        super().__init__()
        self.text = CLIPText(text)
        self.vision = CLIPVision(vision)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, tokens: Tensor, images: Tensor) -> Tensor:
        """Contrastive loss of captions (b, n) with their images (b, 3, size, size)."""
        return contrastive_loss(self.text(tokens)[1], self.vision(images)[1], self.log_scale)


def contrastive_loss(
    text: Tensor, images: Tensor, log_scale: Tensor, rivals: Tensor | None = None
) -> Tensor:
    """How badly each caption picks its image among all, and each image its caption (fig. 3).

    Args:
        text: vectors (b, d), of any length.
        images: vectors (b, d), of any length; image k belongs to caption k.
        log_scale: logarithm of the inverse temperature, used up to ln 100.
        rivals: vectors (n, d) of further captions, that belong to none of the images.
    """
    scale = log_scale.clamp(max=math.log(100)).exp()
    text, images = F.normalize(text, dim=1), F.normalize(images, dim=1)
    told = text if rivals is None else torch.cat([text, F.normalize(rivals, dim=1)])
    logits = scale * told @ images.T
    own = torch.arange(len(text), device=text.device)
    return (F.cross_entropy(logits[: len(text)], own) + F.cross_entropy(logits.T, own)) / 2


class _Layer(nn.Module):
    """Self-attention and a feed-forward, each normalised and added.

    They begin as CLIP's do: what is added to the sum is scaled down by the number of layers.
    """

    def __init__(self, params: TowerParams) -> None:
        super().__init__()
        width = params.width
        self.norm_attend = nn.LayerNorm(width)
        self.attend = Attention(width, width, params.heads, bias=True)
        self.norm_feed = nn.LayerNorm(width)
        self.widen = nn.Linear(width, params.hidden)
        self.act = _ACTIVATIONS[params.activation]
        self.narrow = nn.Linear(params.hidden, width)

        added = (2 * params.layers * width) ** -0.5
        stds = {self.attend.out: added, self.narrow: added, self.widen: (2 * width) ** -0.5}
        for linear in (self.attend.query, self.attend.key, self.attend.value, *stds):
            nn.init.normal_(linear.weight, std=stds.get(linear, width**-0.5))
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        x = x + self.attend(self.norm_attend(x), causal=causal)
        return x + self.narrow(self.act(self.widen(self.norm_feed(x))))


def quick_gelu(x: Tensor) -> Tensor:
    """x·sigmoid(1.702·x), the approximation of GELU in OpenAI's towers."""
    return x * torch.sigmoid(1.702 * x)


_ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "quick_gelu": quick_gelu,
}


def _projection(width: int, projection: int) -> nn.Module:
    if not projection:
        return nn.Identity()
    linear = nn.Linear(width, projection, bias=False)
    nn.init.normal_(linear.weight, std=width**-0.5)
    return linear


def _run(layers: nn.ModuleList, x: Tensor, skip: int, causal: bool) -> tuple[Tensor, Tensor]:
    """Output of the layer ``skip`` before the last, and of the last."""
    outputs = [x]
    for layer in layers:
        outputs.append(layer(outputs[-1], causal))
    return outputs[-1 - skip], outputs[-1]

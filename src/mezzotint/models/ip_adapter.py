"""IP-Adapter: a picture as a prompt, with attention of its own (Ye et al. 2308.06721)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.models.unet import UNet
from mezzotint.nn.attention import Attention
from mezzotint.nn.transformer import CrossBlock, TransformerBlock

TOKENS = 4  # that a plain one makes of a picture; who reads one takes it for granted


@dataclass(frozen=True)
class ResamplerParams:
    """The sizes of a resampler.

    Attributes:
        width: of its tokens.
        layers: their number.
        heads: attention heads of a layer.
        hidden: width inside a layer's feed-forward.
    """

    width: int
    layers: int
    heads: int
    hidden: int


@dataclass(frozen=True)
class IPAdapterParams:
    """The sizes of an IP-Adapter.

    Attributes:
        image_width: width of what it reads: the picture as one vector, or with a resampler the
            features of its patches.
        tokens: image tokens that it makes of a picture.
        context_width: their width, which is that of the U-Net's context.
        widths: of the U-Net's cross-attentions, in the order of ``cross_attentions``.
        resampler: None where the picture is one vector.
    """

    image_width: int
    tokens: int
    context_width: int
    widths: tuple[int, ...]
    resampler: ResamplerParams | None


class IPAdapter(nn.Module):
    """Image tokens, and the keys and values that each cross-attention makes of them (eq. 5).

    ``tokens`` brings pictures, vectors (b, image_width) or features (b, patches, image_width), to
    image tokens (b, tokens, context_width).
    """

    def __init__(self, params: IPAdapterParams) -> None:
        super().__init__()
        p = self.params = params
        self.tokens = Projection(p) if p.resampler is None else Resampler(p, p.resampler)
        self.keys = _linears(p)
        self.values = _linears(p)

    def keys_values(self, tokens: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Keys and values (b, tokens, width) for each cross-attention, of tokens (b, tokens, d)."""
        pairs = zip(self.keys, self.values, strict=True)
        return [(key(tokens), value(tokens)) for key, value in pairs]


class Projection(nn.Module):
    """A picture as one vector to image tokens (Ye et al. 2308.06721, 3.2.1)."""

    def __init__(self, params: IPAdapterParams) -> None:
        super().__init__()
        self.project = nn.Linear(params.image_width, params.tokens * params.context_width)
        self.norm = nn.LayerNorm(params.context_width)

    def forward(self, image: Tensor) -> Tensor:
        """(b, image_width) → (b, tokens, context_width)."""
        return self.norm(self.project(image).unflatten(1, (-1, *self.norm.normalized_shape)))


class Resampler(nn.Module):
    """Queries that read the features of patches (Alayrac et al. 2204.14198, 3.1), as in "plus"."""

    def __init__(self, params: IPAdapterParams, resampler: ResamplerParams) -> None:
        super().__init__()
        width = resampler.width
        self.queries = nn.Parameter(torch.randn(1, params.tokens, width) * width**-0.5)
        self.project_in = nn.Linear(params.image_width, width)
        self.layers = nn.ModuleList(_Layer(resampler) for _ in range(resampler.layers))
        self.project_out = nn.Linear(width, params.context_width)
        self.norm_out = nn.LayerNorm(params.context_width)

    def forward(self, features: Tensor) -> Tensor:
        """(b, patches, image_width) → (b, tokens, context_width)."""
        features = self.project_in(features)
        queries = self.queries.expand(len(features), -1, -1)
        for layer in self.layers:
            queries = layer(queries, features)
        return self.norm_out(self.project_out(queries))


class _Layer(nn.Module):
    """Queries attend to the features and to themselves; then a feed-forward, each added."""

    def __init__(self, params: ResamplerParams) -> None:
        super().__init__()
        width = params.width
        self.norm_features = nn.LayerNorm(width)
        self.norm_queries = nn.LayerNorm(width)
        self.attend = Attention(width, width, params.heads, bias=False)
        self.attend.out = nn.Linear(width, width, bias=False)  # here it has none either
        self.norm_feed = nn.LayerNorm(width)
        self.widen = nn.Linear(width, params.hidden, bias=False)
        self.narrow = nn.Linear(params.hidden, width, bias=False)

    def forward(self, queries: Tensor, features: Tensor) -> Tensor:
        normed = self.norm_queries(queries)
        read = torch.cat([self.norm_features(features), normed], dim=1)
        queries = queries + self.attend(normed, self.attend.keys_values(read))
        return queries + self.narrow(F.gelu(self.widen(self.norm_feed(queries))))


def cross_attentions(unet: UNet) -> list[Attention]:
    """The layers that read the prompt, in the order in which adapters number them."""
    return [
        block.attend_cross
        for half in (unet.down, unet.up, unet.mid)  # the middle comes last
        for block in half.modules()
        if isinstance(block, TransformerBlock | CrossBlock)
    ]


def new_adapter(unet: UNet, image_width: int) -> IPAdapter:
    """An adapter that is yet to be trained, and changes nothing: its values are zero.

    Its keys begin as the U-Net's own for the prompt (section 3.2.2), so that queries find
    something in them. Were the values the U-Net's own too, every picture would be changed at once.

    Args:
        unet: what it is for.
        image_width: of the vectors that it reads.
    """
    attentions = cross_attentions(unet)
    widths = tuple(attention.query.out_features for attention in attentions)
    context = unet.params.context_width
    adapter = IPAdapter(IPAdapterParams(image_width, TOKENS, context, widths, None))
    for attention, key, value in zip(attentions, adapter.keys, adapter.values, strict=True):
        key.load_state_dict(attention.key.state_dict())
        nn.init.zeros_(value.get_parameter("weight"))
    return adapter


def _linears(params: IPAdapterParams) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Linear(params.context_width, width, bias=False) for width in params.widths
    )

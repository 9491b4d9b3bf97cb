"""A picture as words: tokens that stand among a prompt's, and are read as those are."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mezzotint.models.ip_adapter import cross_attentions
from mezzotint.models.unet import UNet

HIDDEN = 512
DROPPED = 0.3  # of what is hidden, in training: without, it learns its pictures by heart
OPENING = 16.0  # how much sooner than other weights the gates move


@dataclass(frozen=True)
class ImageWordsParams:
    """The sizes of what makes words of a picture.

    Attributes:
        image_width: of the vector that it reads.
        hidden: width inside.
        tokens: that it makes of a picture.
        context_width: their width, which is that of the U-Net's context.
        layers: cross-attentions of the U-Net.
    """

    image_width: int
    hidden: int
    tokens: int
    context_width: int
    layers: int


class ImageWords(nn.Module):
    """Image tokens in the space of the text tower's, and how far each layer is open to them.

    An IP-Adapter attends to image tokens apart, with keys and values of its own, and adds what it
    finds (Ye et al. 2308.06721, eq. 5). Here they join the prompt's in one softmax, by the U-Net's
    own keys and values, behind gates that are zero at first (Li et al. 2301.07093, eq. 8):
    T + ρ·tanh(γ)·(J − T), where T reads the prompt, and J the prompt and the picture. What the
    U-Net has learnt of words it then knows of pictures, so a small one needs few of them to learn
    from.

    The reach ρ is 1 in training. Tokens that are not sure of what they see are less than words are,
    and as guidance does with a prompt, a larger one goes on in the direction that they tell.
    """

    reach: Tensor

    def __init__(self, params: ImageWordsParams) -> None:
        super().__init__()
        p = self.params = params
        self.widen = nn.Linear(p.image_width, p.hidden)
        self.deepen = nn.Linear(p.hidden, p.hidden)
        self.drop = nn.Dropout(DROPPED)
        self.narrow = nn.Linear(p.hidden, p.tokens * p.context_width)
        self.norm = nn.LayerNorm(p.context_width)
        self.gates = nn.Parameter(torch.zeros(p.layers))
        self.register_buffer("reach", torch.ones(()))

    def tokens(self, image: Tensor) -> Tensor:
        """Pictures' vectors (b, image_width) → (b, tokens, context_width)."""
        hidden = self.drop(F.gelu(self.widen(image)))
        words = self.narrow(self.drop(F.gelu(self.deepen(hidden))))
        return self.norm(words.unflatten(1, (-1, self.params.context_width)))

    def open(self) -> Tensor:
        """How far each cross-attention is open, (layers,), −ρ…ρ, in ``cross_attentions``' order."""
        return self.reach * (OPENING * self.gates).tanh()


def new_words(unet: UNet, image_width: int, tokens: int) -> ImageWords:
    """One that is yet to be trained, and changes nothing: its gates are shut.

    Args:
        unet: what it is for.
        image_width: of the vectors that it reads.
        tokens: that it makes of a picture.
    """
    layers = len(cross_attentions(unet))
    width = unet.params.context_width
    return ImageWords(ImageWordsParams(image_width, HIDDEN, tokens, width, layers))

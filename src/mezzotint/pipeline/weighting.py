"""What a token's weight does to its encoding, as A1111 and as ComfyUI apply it.

Both take what the text encoder gives and the weights of its tokens; weights of 1 change nothing.
"""

import torch
from torch import Tensor


def renormalise(context: Tensor, weights: Tensor) -> Tensor:
    """Multiply each token's encoding by its weight, then restore the mean, as A1111 does.

    The mean is over one row's tokens and channels, so a batch does not change what one row gives;
    A1111 takes it over the batch, which is one row unless the prompt is scheduled.

    Args:
        context: (b, n, d), one window of tokens a row.
        weights: (b, n).

    Returns:
        (b, n, d), typed like ``context``.
    """
    weighted = context * weights.to(context)[..., None]
    before, after = _mean(context), _mean(weighted)
    return weighted * torch.where(before == after, 1, before / after)


def interpolate(context: Tensor, weights: Tensor, empty: Tensor) -> Tensor:
    """Move each token's encoding along the line from the empty prompt's, as ComfyUI does.

    Weight 0 is the empty prompt's encoding, and above 1 leads beyond the prompt's own.

    Args:
        context: (b, n, d), one window of tokens a row.
        weights: (b, n).
        empty: (1, n, d), the encoding of a window without words.

    Returns:
        (b, n, d), typed like ``context``.
    """
    return empty.lerp(context, weights.to(context)[..., None])


def _mean(context: Tensor) -> Tensor:
    return context.mean(dim=(-2, -1), keepdim=True)

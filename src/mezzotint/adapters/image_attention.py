"""Cross-attentions that read image tokens: beside the prompt's, or among them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mezzotint.nn.attention import Attention, attend

Eject = Callable[[], None]


def decouple(
    attentions: Sequence[Attention],
    pairs: Sequence[tuple[Tensor, Tensor]],
    scale: float,
    rows: Callable[[int], list[int] | slice],
) -> Eject:
    """Attend to image tokens apart: softmax(QKᵀ/√d)·V + λ·softmax(QK′ᵀ/√d)·V′.

    It is eq. 5 of Ye et al. 2308.06721; what is returned ends it.

    Args:
        attentions: which.
        pairs: keys and values (r, n, width) for each.
        scale: λ.
        rows: for a batch of so many, which of the r rows each of it sees.
    """
    return _until_ejected(
        handle
        for attention, (keys, values) in zip(attentions, pairs, strict=True)
        for handle in _beside(attention, keys, values, scale, rows)
    )


def join(
    attentions: Sequence[Attention],
    tokens: Tensor,
    shares: Tensor,
    sees: Callable[[int], Sequence[bool]],
) -> Eject:
    """Attend to image tokens among the prompt's: + s·(softmax(Q[K; K′]ᵀ/√d)·[V; V′] − T).

    T is what the prompt alone gives, so several add up in any order. Keys and values are the
    attention's own for its context, as they are when it is called: whatever else changes them is in
    them. What is returned ends it.

    Args:
        attentions: which.
        tokens: (1, n, d) or (b, n, d), such as the text tower's.
        shares: s of each attention, (len(attentions),).
        sees: for a batch of so many, whether each row reads them; the others' bits stay.
    """

    def among(attention: Attention, share: Tensor) -> Any:
        def read(_: nn.Module, args: tuple[Any, ...], mixed: Tensor) -> Tensor:
            query, *prompt = args[:3]
            picture = (
                part.expand(len(query), -1, -1, -1) for part in attention.keys_values(tokens)
            )
            key, value = (torch.cat(both, dim=2) for both in zip(prompt, picture, strict=True))
            joint = attend(query, key, value, causal=False)
            alone = attend(query, *prompt, causal=False)
            seen = torch.tensor(sees(len(query)), device=query.device)[:, None, None, None]
            return torch.where(seen, mixed + share * (joint - alone), mixed)

        return attention.attending.register_forward_hook(read)

    return _until_ejected(map(among, attentions, shares))


def _until_ejected(handles: Any) -> Eject:
    hooks = list(handles)

    def eject() -> None:
        for hook in hooks:
            hook.remove()

    return eject


def _beside(
    attention: Attention,
    keys: Tensor,
    values: Tensor,
    scale: float,
    rows: Callable[[int], list[int] | slice],
) -> list[Any]:
    """The handles of the hooks that do it.

    The queries are computed again, so that whatever else changes them, now or later, is in them.
    """
    keys, values = _heads(keys, attention), _heads(values, attention)
    found: list[Tensor] = []

    def look(_: nn.Module, args: tuple[Any, ...]) -> None:
        query = _heads(attention.query(args[0]), attention)
        chosen = rows(len(query))
        seen = attend(query, keys[chosen], values[chosen], causal=False)
        found.append(seen.transpose(1, 2).flatten(2))

    def add(_: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
        return (args[0] + scale * found.pop(),)

    return [
        attention.register_forward_pre_hook(look),
        attention.out.register_forward_pre_hook(add),
    ]


def _heads(x: Tensor, attention: Attention) -> Tensor:
    return x.unflatten(2, (attention.heads, -1)).transpose(1, 2)

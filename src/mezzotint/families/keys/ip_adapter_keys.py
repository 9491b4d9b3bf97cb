"""What files call the tensors of an IP-Adapter."""

import re
from collections.abc import Iterable

from mezzotint.checkpoints.keymap import Held, KeyMap, under
from mezzotint.errors import InputError

_PROJECTION = (
    ("image_proj.proj", "tokens.project"),
    ("image_proj.norm", "tokens.norm"),
)

_RESAMPLER = (
    ("image_proj.latents", "tokens.queries"),
    ("image_proj.proj_in", "tokens.project_in"),
    ("image_proj.proj_out", "tokens.project_out"),
    ("image_proj.norm_out", "tokens.norm_out"),
    *under(
        "image_proj.layers.{}",
        "tokens.layers.{}",
        (
            ("0.norm1", "norm_features"),
            ("0.norm2", "norm_queries"),
            ("0.to_q", "attend.query"),
            ("0.to_kv.weight", Held(("attend.key.weight", "attend.value.weight"))),
            ("0.to_out", "attend.out"),
            ("1.0", "norm_feed"),
            ("1.1", "widen"),
            ("1.3", "narrow"),
        ),
    ),
)


IMAGE_WORDS = KeyMap(
    tuple(
        (f"image_words.{name}", name)
        for name in ("widen", "deepen", "narrow", "norm", "gates", "reach")
    )
)
"""The names of ``ImageWords``."""


def ip_adapter(attentions: int) -> KeyMap:
    """The names of an adapter for so many cross-attentions.

    They have odd numbers, because the even ones are those of the self-attentions before them.
    """
    numbered = tuple(
        (f"ip_adapter.{2 * k + 1}.{theirs}_ip", f"{ours}.{k}")
        for k in range(attentions)
        for theirs, ours in (("to_k", "keys"), ("to_v", "values"))
    )
    return KeyMap(_PROJECTION + _RESAMPLER + numbered)


def keys_in(names: Iterable[str], source: str) -> KeyMap:
    """The names of the adapter in a file.

    Raises:
        InputError: there is none that is plain or "plus", or of words.
    """
    known = set(names)
    if "image_words.gates" in known:
        return IMAGE_WORDS
    if not known & {"image_proj.proj.weight", "image_proj.latents"}:
        raise InputError(
            f"{source} is no IP-Adapter, plain or plus: it has neither image_proj.proj nor "
            "image_proj.latents"
        )
    return ip_adapter(
        sum(bool(re.fullmatch(r"ip_adapter\.\d+\.to_k_ip\.weight", n)) for n in known)
    )

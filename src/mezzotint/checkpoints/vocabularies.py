"""Where vocabularies are found: a single-file checkpoint has none of its own.

CLIP's is one and the same for all published text encoders, and T5's too, so any folder that holds
one will do: one that is given, an installation of ComfyUI, Forge or A1111 that the checkpoint lies
in, or the Hugging Face cache.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from mezzotint.checkpoints.tokenizers import CLIP_MERGES, is_clip, is_t5
from mezzotint.errors import InputError

Kind = Literal["CLIP", "T5"]
PARENTS = 4  # ComfyUI/models/checkpoints/sdxl/file is that deep in an installation

_PACKAGES = ("venv/lib/python3*/site-packages", "venv/Lib/site-packages")
_LAYOUTS: dict[Kind, tuple[str, ...]] = {
    "CLIP": (
        "tokenizer",
        "comfy/sd1_tokenizer",
        "backend/huggingface/*/*/tokenizer",
        *(
            f"{packages}/{name}/{CLIP_MERGES}"
            for packages in _PACKAGES
            for name in ("open_clip", "clip")
        ),
    ),
    "T5": (
        "tokenizer_3",
        "tokenizer_2",
        "comfy/text_encoders/t5_tokenizer",
        "backend/huggingface/*/*/tokenizer_[23]",
    ),
}
_CACHED: dict[Kind, tuple[str, ...]] = {
    "CLIP": ("models--*/snapshots/*/tokenizer", "models--openai--clip-*/snapshots/*"),
    "T5": ("models--*/snapshots/*/tokenizer_[23]", "models--google--*t5-*/snapshots/*"),
}
_IS: dict[Kind, Callable[[Path], bool]] = {"CLIP": is_clip, "T5": is_t5}


def find_vocabulary(kind: Kind, places: Sequence[Path]) -> Path:
    """Find what `clip_tokenizer` or `t5_tokenizer` reads.

    Args:
        kind: whose vocabulary.
        places: files or folders to begin at, best first; the folders above them are tried as well.

    Raises:
        InputError: there is none.
    """
    for path in _candidates(kind, places):
        if _IS[kind](path):
            return path
    asked = ", ".join(map(str, places)) or "no folder"
    raise InputError(
        f"no {kind} vocabulary in {asked} or the Hugging Face cache, and a single-file checkpoint "
        f"has none: give the tokenizer folder of any diffusers model after it, or put the "
        f"checkpoint into ComfyUI's, Forge's or A1111's models folder"
    )


def _candidates(kind: Kind, places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir() or place.suffix in (".txt", ".gz", ".model"):
            yield place
        for folder in [place, *place.absolute().parents[:PARENTS]]:
            for layout in _LAYOUTS[kind]:
                yield from sorted(folder.glob(layout))
    for pattern in _CACHED[kind]:
        yield from sorted(_cache().glob(pattern))


def _cache() -> Path:
    """Where huggingface_hub keeps what it fetched."""
    home = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return Path(os.environ.get("HF_HUB_CACHE", f"{home}/hub")).expanduser()

"""Captions as token ids and as vectors, kept beside the pictures that they describe."""

import hashlib
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from mezzotint.adapters.contents import digest
from mezzotint.models.clip import CLIPText
from mezzotint.nn.precision import autocast
from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.pictures import PictureSet

READ_AT_ONCE = 512

Tokens = NDArray[np.int16]
Vectors = NDArray[np.float16]


def encode(tokenizer: Tokenizer, captions: list[str]) -> Tokens:
    """Token ids ``(n, length)`` of captions."""
    return np.array([row.ids for row in tokenizer.encode_batch_fast(captions)], np.int16)


def caption_tokens(pictures: PictureSet, tokenizer: Tokenizer) -> Tokens:
    """Token ids ``(count, wordings, length)`` of every caption, memory-mapped.

    They are worked out once and found again by the tokenizer's hash.
    """
    vocabulary = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()[:8]
    file = pictures.folder / f"tokens-{vocabulary}.npy"
    if not file.exists():
        flat = [wording for wordings in pictures.captions for wording in wordings]
        tokens = encode(tokenizer, flat)
        tokens = tokens.reshape(len(pictures), -1, tokens.shape[1])
        write_array(file, tokens)
    return np.load(file, mmap_mode="r")


@torch.no_grad()
def caption_vectors(
    pictures: PictureSet,
    tokens: Tokens,
    tower: CLIPText,
    device: torch.device,
    bf16: bool,
    progress: Callable[[str, int, int], None],
) -> Vectors:
    """What a tower makes of every caption, (count, wordings, d), memory-mapped.

    They are worked out once and found again by the hash of the weights.

    Args:
        pictures: the set.
        tokens: of its captions, as ``caption_tokens`` has them.
        tower: is brought to ``device``.
        device: where it reads.
        bf16: whether in bfloat16 autocast.
        progress: called with what is being done, and how much of how much is done.
    """
    weights = digest(tower.state_dict())
    file = pictures.folder / f"vectors-{weights}{'-bf16' if bf16 else ''}.npy"
    if not file.exists():
        tower = tower.to(device).eval()
        rows = torch.from_numpy(tokens.reshape(-1, tokens.shape[2]).astype(np.int64))
        parts: list[Vectors] = []
        for part in rows.split(READ_AT_ONCE):
            with autocast(device, bf16):
                _, vectors = tower(part.to(device))
            parts.append(vectors.half().cpu().numpy())
            done = min(len(rows), len(parts) * READ_AT_ONCE)
            progress("captions read", done, len(rows))
        write_array(file, np.concatenate(parts).reshape(*tokens.shape[:2], -1))
    return np.load(file, mmap_mode="r")

"""Captions as token ids, kept beside the pictures that they describe."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from mezzotint.training.data.arrays import write_array
from mezzotint.training.data.pictures import PictureSet

Tokens = NDArray[np.int16]


def encode(tokenizer: Tokenizer, captions: list[str]) -> Tokens:
    """Token ids ``(n, length)`` of captions."""
    return np.array([row.ids for row in tokenizer.encode_batch_fast(captions)], np.int16)


def caption_tokens(pictures: PictureSet, tokenizer: Tokenizer) -> Tokens:
    """Token ids ``(count, wordings, length)`` of every caption, memory-mapped.

    They are worked out once and found again by the tokenizer's hash.
    """
    digest = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()[:8]
    file = pictures.folder / f"tokens-{digest}.npy"
    if not file.exists():
        flat = [wording for wordings in pictures.captions for wording in wordings]
        tokens = encode(tokenizer, flat)
        tokens = tokens.reshape(len(pictures), -1, tokens.shape[1])
        write_array(file, tokens)
    return np.load(file, mmap_mode="r")

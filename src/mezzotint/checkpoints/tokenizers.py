"""The tokenizers of CLIP and T5, from the files that they are published in.

They give what transformers' `CLIPTokenizer` and `T5Tokenizer` give, which diffusers uses. From
version 5 on those are the fast ones alone: a text is brought to NFC, its white space to single
spaces, and (CLIP's) to lower case, with neither `ftfy` nor the word splitting of the slow ones.
Special tokens are what a folder's configuration says, down to Stable Diffusion XL's second
tokenizer, for which every "!" of a prompt is padding.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from mezzotint.checkpoints.special_tokens import add_specials, read_json, read_text
from mezzotint.checkpoints.spiece import read_pieces
from mezzotint.errors import InputError

CLIP_MERGES = "bpe_simple_vocab_16e6.txt.gz"  # OpenAI's and OpenCLIP's own form of CLIP's
CLIP_SIZE = 49_408
T5_EXTRA, T5_UNKNOWN = 100, 2
BEGIN, END = "<|startoftext|>", "<|endoftext|>"

_WORDS = (  # Radford et al. 2021: a word, a digit, or a row of other signs
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)
_CLIP_TOKENS = {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": END}
_T5_TOKENS = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


@dataclass(frozen=True)
class TextTokenizer:
    """A tokenizer and the ids that frame a text encoder's input.

    Attributes:
        tokenizer: it neither adds tokens nor cuts.
        begin: None of a T5.
        pad: Stable Diffusion 1.x pads with the end token, 2.x with 0.
        comma: a comma that ends a word; None of a T5.
    """

    tokenizer: Tokenizer
    begin: int | None
    end: int
    pad: int
    comma: int | None

    def encode(self, text: str) -> list[int]:
        """The tokens of ``text`` alone."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def batch(self, texts: Sequence[str], length: int) -> list[list[int]]:
        """``texts`` framed, and cut or padded to ``length`` tokens each."""
        begin = [] if self.begin is None else [self.begin]
        encoded = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        cut = [[*begin, *one.ids[: length - len(begin) - 1], self.end] for one in encoded]
        return [ids + [self.pad] * (length - len(ids)) for ids in cut]


def clip_tokenizer(path: Path, pad: str | None = None) -> TextTokenizer:
    """A CLIP tokenizer.

    Args:
        path: a folder with `tokenizer.json`, or `vocab.json` and `merges.txt`, or merges alone; or
            a file of merges.
        pad: the padding token, for a vocabulary that was found elsewhere than beside the model: the
            folder's own configuration is then left alone.

    Raises:
        InputError: there is no CLIP vocabulary, or it cannot be read.
    """
    vocabulary, merges = _clip_vocabulary(path)
    try:
        tokenizer = Tokenizer(
            models.BPE(
                vocabulary,
                merges,
                unk_token=END,
                continuing_subword_prefix="",
                end_of_word_suffix="</w>",
            )
        )
    except Exception as error:  # tokenizers raises nothing narrower
        raise InputError(f"{path} is not a CLIP vocabulary: {error}") from error
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    ends = (decoders.Replace(Regex("</w>$"), ""), decoders.Replace("</w>", " "))
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), *ends])
    config = path if path.is_dir() and pad is None else None
    padded = _CLIP_TOKENS if pad is None else {**_CLIP_TOKENS, "pad_token": pad}
    names = add_specials(tokenizer, config, padded, [])
    comma = tokenizer.token_to_id(",</w>")
    return TextTokenizer(
        tokenizer,
        _id(path, tokenizer, names["bos_token"]),
        _id(path, tokenizer, names["eos_token"]),
        _id(path, tokenizer, names["pad_token"]),
        comma,
    )


def t5_tokenizer(path: Path) -> TextTokenizer:
    """A T5 tokenizer.

    Args:
        path: a folder with `tokenizer.json` or `spiece.model`, or a sentencepiece model.

    Raises:
        InputError: there is no T5 vocabulary, or it cannot be read.
    """
    scores, marks, normaliser = _t5_vocabulary(path)
    try:
        tokenizer = Tokenizer(models.Unigram(scores, unk_id=T5_UNKNOWN, byte_fallback=False))
        if normaliser:
            tokenizer.normalizer = normalizers.Precompiled(normaliser)
    except Exception as error:  # tokenizers raises nothing narrower
        raise InputError(f"{path} is not a T5 vocabulary: {error}") from error
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    extra = [*marks, *(f"<extra_id_{i}>" for i in range(T5_EXTRA))]
    names = add_specials(tokenizer, path if path.is_dir() else None, _T5_TOKENS, extra)
    end, pad = (_id(path, tokenizer, names[f"{name}_token"]) for name in ("eos", "pad"))
    return TextTokenizer(tokenizer, None, end, pad, None)


def is_clip(path: Path) -> bool:
    """Whether ``path`` holds the CLIP vocabulary that every published text encoder has."""
    try:
        vocabulary, _ = _clip_vocabulary(path)
    except InputError:
        return False
    return len(vocabulary) == CLIP_SIZE and vocabulary.get(BEGIN) == CLIP_SIZE - 2


def is_t5(path: Path) -> bool:
    """Whether ``path`` holds the vocabulary of a T5."""
    try:
        scores, _, _ = _t5_vocabulary(path)
    except InputError:
        return False
    return [piece for piece, _ in scores[:3]] == ["<pad>", "</s>", "<unk>"]


def _clip_vocabulary(path: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    if path.is_file():
        return _from_merges(path)
    if (file := path / "tokenizer.json").is_file():
        try:
            model = read_json(file)["model"]
            merges = [tuple(m.split(" ")) if isinstance(m, str) else m for m in model["merges"]]
            return dict(model["vocab"]), [(left, right) for left, right in merges]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{file} is not the tokenizer of a CLIP") from error
    if (file := path / "vocab.json").is_file():
        return cast("dict[str, int]", read_json(file)), _merges(path / "merges.txt")
    for name in ("merges.txt", CLIP_MERGES):
        if (file := path / name).is_file():
            return _from_merges(file)
    raise InputError(f"{path} has no CLIP vocabulary: neither tokenizer.json nor vocab.json")


def _from_merges(file: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """CLIP's vocabulary in its own order: bytes, bytes that end a word, merges, begin, end."""
    merges = _merges(file)
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = [chr(byte) for byte in shown] + [chr(256 + n) for n in range(256 - len(shown))]
    words = [f"{letter}</w>" for letter in letters]
    tokens = [*letters, *words, *("".join(pair) for pair in merges), BEGIN, END]
    return {token: i for i, token in enumerate(tokens)}, merges


def _merges(file: Path) -> list[tuple[str, str]]:
    lines = read_text(file).removesuffix("\n").split("\n")
    if file.name == CLIP_MERGES:  # it goes on with merges that no CLIP has
        lines = lines[1 : CLIP_SIZE - 2 * 256 - 2 + 1]
    pairs = [line.split(" ") for line in lines if not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise InputError(f"{file} is not a list of merges: each line is two pieces")
    return [(left, right) for left, right in pairs]


def _t5_vocabulary(path: Path) -> tuple[list[tuple[str, float]], list[str], bytes]:
    if (file := path / "tokenizer.json").is_file():
        table = read_json(file)
        try:
            scores = [(str(piece), float(score)) for piece, score in table["model"]["vocab"]]
            return scores, [], _charsmap(table.get("normalizer"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{file} is not the tokenizer of a T5") from error
    pieces = read_pieces(path / "spiece.model" if path.is_dir() else path)
    extra = [(f"<extra_id_{i}>", 0.0) for i in reversed(range(T5_EXTRA))]
    return pieces.scores + extra, pieces.marks, pieces.normaliser


def _charsmap(normaliser: Any) -> bytes:
    """The first table of characters in a `tokenizer.json`'s normaliser."""
    steps = (normaliser or {}).get("normalizers", [normaliser or {}])
    tables = (step["precompiled_charsmap"] for step in steps if "precompiled_charsmap" in step)
    return base64.b64decode(next(tables, ""))


def _id(path: Path, tokenizer: Tokenizer, token: str) -> int:
    number = tokenizer.token_to_id(token)
    if number is None or number >= tokenizer.get_vocab_size(with_added_tokens=False):
        raise InputError(f"{path}: its vocabulary has no {token!r}")
    return number

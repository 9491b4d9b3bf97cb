"""A byte-pair vocabulary, learned from captions (Sennrich et al. 2016)."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from mezzotint.errors import InputError
from mezzotint.files import write_whole
from mezzotint.models.clip import CLIPTextParams
from mezzotint.training.data.pictures import PictureSet

BEGIN, END = "<begin>", "<end>"
READ = 200_000  # captions that the vocabulary is learned from


def train_tokenizer(captions: Iterable[str], vocabulary: int, length: int) -> Tokenizer:
    """Learn a byte-level BPE of at most ``vocabulary`` tokens; it encodes to ``length`` ids.

    Bytes are the alphabet, so that every string of every script has an encoding. A text longer
    than ``length - 2`` tokens is cut; what is shorter is padded with ``END``, as CLIP's are.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        captions,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[BEGIN, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    begin, end = (tokenizer.token_to_id(token) for token in (BEGIN, END))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}", special_tokens=[(BEGIN, begin), (END, end)]
    )
    return framed(tokenizer, length)


def framed(tokenizer: Tokenizer, length: int) -> Tokenizer:
    """The tokenizer, to encode to ``length`` ids; a model keeps its own without, for any length."""
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=tokenizer.token_to_id(END), pad_token=END)
    return tokenizer


def run_tokenizer(folder: Path, text: CLIPTextParams, pictures: PictureSet) -> Tokenizer:
    """The tokenizer of the run in ``folder``, learned from the captions when the run begins.

    Raises:
        InputError: the tower has another end token, or too small a vocabulary.
    """
    file = folder / "tokenizer.json"
    if not file.exists():
        captions = [wording for wordings in pictures.captions for wording in wordings][:READ]
        learned = train_tokenizer(captions, text.vocabulary, text.length)
        write_whole(file, learned.to_str().encode())
    tokenizer = Tokenizer.from_str(file.read_text())
    size, end = tokenizer.get_vocab_size(), tokenizer.token_to_id(END)
    if size > text.vocabulary or end != text.end_token:
        raise InputError(
            f"task.text has a vocabulary of {text.vocabulary} and end_token {text.end_token}: "
            f"{file} needs {size} and {end}"
        )
    return tokenizer

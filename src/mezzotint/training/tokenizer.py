"""A byte-pair vocabulary, learned from captions (Sennrich et al. 2016)."""

from collections.abc import Iterable

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

BEGIN, END = "<begin>", "<end>"


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
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=end, pad_token=END)
    return tokenizer

"""transformers reads the same files and gives the same tokens: 10,000 strings, every script."""

import json
import random
import unicodedata
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer, T5Tokenizer

from mezzotint.checkpoints.spiece import read_pieces
from mezzotint.checkpoints.tokenizers import (
    BEGIN,
    END,
    TextTokenizer,
    _from_merges,
    clip_tokenizer,
    t5_tokenizer,
)

ROOT = Path(__file__).parents[2]
LENGTH = 77
# what tokenizers stumble over, to be put among words of every script
# fmt: off
PIECES = [
    *" \t\n\r\f\v\x00\x1c\x1f\x7f\x85\xa0\xad\u1680\u2003\u200b\u200d\u2028\u2029\u202e\u3000",
    "\ufeff",
    "!", "!!", " ! ", "'s", "'LL", "’s", "''", ",", "...", "#", "##", "▁", "▁▁", "</w>", "--", "_",
    "<|startoftext|>", "<|endoftext|>", "<|ENDOFTEXT|>", "<|endoftext", "<pad>", "</s>", "<unk>",
    " <extra_id_0> ", "<extra_id_99>", "<extra_id_100>", "<mark>", "&amp;", "&#39;", "&lt;b&gt;",
    "0", "1234567890", "3.14", "½", "²", "Ⅷ", "٣", "१२", "<b>", "https://a.b/c?d=e", "a_b", "ﬁ",
    "é", "e\u0301", "Å", "\u0340", "ｆｕｌｌ", "İstanbul", "ΣΊΣΥΦΟΣ", "ß", "ẞ", "ǅ", "𝕏", "가",
    "각", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇫🇷", "👍🏽", "☃️",
    "क्षि", "ที่", "Ελλάδα", "русский", "中文", "日本語", "עִבְרִית", "العربية",
    "antidisestablishmentarianism" * 9, "a" * 300, "漢" * 120,
]
# fmt: on


def strings(n: int) -> list[str]:
    """Deterministic strings of every block of Unicode that has characters."""
    draw = random.Random(0)
    blocks = [
        block
        for start in range(0, 0x110000, 128)
        if (block := [c for c in map(chr, range(start, start + 128)) if assigned(c)])
    ]
    made = ["", " ", *PIECES]
    while len(made) < n:
        block = blocks[len(made) % len(blocks)]
        words = ["".join(draw.choices(block, k=draw.randint(1, 8))) for _ in range(3)]
        words += draw.choices(PIECES[:-3] if draw.random() < 0.97 else PIECES, k=draw.randint(0, 3))
        draw.shuffle(words)
        made.append(draw.choice(["", " ", " ", "  "]).join(words))
    return made


def assigned(character: str) -> bool:
    return unicodedata.category(character) not in ("Cn", "Cs")


STRINGS = strings(10_000)
T5_SIZE = 1500
TEXT = "".join(file.read_text() for file in sorted(ROOT.glob("docs/*.md")))


@pytest.fixture(scope="session")
def clip_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`vocab.json` and `merges.txt` as CLIP's are, learned from a few scripts."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT, *STRINGS[::4]], trainer)
    folder = tmp_path_factory.mktemp("clip")
    merges = [" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    vocabulary, _ = _from_merges(folder / "merges.txt")
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    return folder


@pytest.fixture(scope="session")
def t5_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`spiece.model` as T5's is."""
    folder = tmp_path_factory.mktemp("t5")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(
            [
                *TEXT.splitlines(),
                *(s for s in STRINGS if max(s, default="") < "ࠀ"),
            ]
        ),
        model_writer=(writer := (folder / "spiece.model").open("wb")),
        vocab_size=T5_SIZE,
        normalization_rule_name="nmt_nfkc",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        user_defined_symbols="<mark>",
        num_threads=1,
        minloglevel=2,
    )
    writer.close()
    return folder


def copied(files: Path, folder: Path, **tables: dict) -> Path:
    """A folder of the same vocabulary with further JSON files."""
    for file in files.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    for name, table in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(table))
    return folder


def entry(text: str, normalized: bool, strip: bool = False) -> dict:
    return {
        "content": text,
        "lstrip": strip,
        "rstrip": strip,
        "normalized": normalized,
        "single_word": False,
    }


def compare(ours: TextTokenizer, theirs, texts: list[str], length: int = LENGTH) -> None:
    assert [ours.encode(text) for text in texts[:200]] == theirs(
        texts[:200], add_special_tokens=False
    ).input_ids
    padded = theirs(texts, padding="max_length", max_length=length, truncation=True).input_ids
    assert ours.batch(texts, length) == padded


SPECIALS = {
    "bos_token": entry(BEGIN, True),
    "eos_token": entry(END, True),
    "unk_token": entry(END, True),
}
PUBLISHED = {  # how Stable Diffusion's folders describe their special tokens
    "nothing said": {},
    "1.x": {"special_tokens_map": {**SPECIALS, "pad_token": END}},
    "2.x": {
        "special_tokens_map": {**SPECIALS, "pad_token": "!"},
        "tokenizer_config": {
            name: {"__type": "AddedToken", **value} for name, value in SPECIALS.items()
        },
    },
    "XL's second": {
        "tokenizer_config": {
            "added_tokens_decoder": {
                "0": {**entry("!", False), "special": True},
                "2510": {**entry(BEGIN, True), "special": True},
                "2511": {**entry(END, True), "special": True},
            },
            "bos_token": BEGIN,
            "eos_token": END,
            "pad_token": "!",
        },
        "special_tokens_map": {"pad_token": END},  # older, so not asked
    },
    "a word of its own": {"added_tokens": {"<mark>": 2512}},
}


@pytest.mark.parametrize("published", PUBLISHED)
def test_clip(clip_files: Path, tmp_path: Path, published: str):
    folder = copied(clip_files, tmp_path, **PUBLISHED[published])
    ours, theirs = clip_tokenizer(folder), CLIPTokenizer.from_pretrained(folder)
    ids = (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id)
    assert (ours.begin, ours.end, ours.pad) == ids
    assert ours.comma == theirs.get_vocab()[",</w>"]
    whole = published in ("nothing said", "XL's second")
    compare(ours, theirs, STRINGS if whole else STRINGS[::10])


def test_clip_from_a_tokenizer_json(clip_files: Path, tmp_path: Path):
    CLIPTokenizer.from_pretrained(clip_files, pad_token="!").save_pretrained(tmp_path)
    assert not (tmp_path / "vocab.json").exists()
    compare(clip_tokenizer(tmp_path), CLIPTokenizer.from_pretrained(tmp_path), STRINGS[::10])


def test_clip_from_merges_alone(clip_files: Path):
    """As a single-file checkpoint has it, with the padding that its family wants."""
    theirs = CLIPTokenizer.from_pretrained(clip_files, pad_token="!")
    compare(clip_tokenizer(clip_files / "merges.txt", pad="!"), theirs, STRINGS[::10])


T5_PUBLISHED = {
    "added_tokens_decoder": {
        **{
            str(i): {**entry(text, False), "special": True}
            for i, text in enumerate(["<pad>", "</s>", "<unk>"])
        },
        **{
            str(T5_SIZE + 99 - i): {**entry(f"<extra_id_{i}>", False, strip=True), "special": True}
            for i in range(100)
        },
    },
    "additional_special_tokens": [f"<extra_id_{i}>" for i in range(100)],
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "extra_ids": 100,
}


@pytest.mark.parametrize("tables", [{}, {"tokenizer_config": T5_PUBLISHED}])
def test_t5(t5_files: Path, tmp_path: Path, tables: dict):
    folder = copied(t5_files, tmp_path, **tables)
    ours, theirs = t5_tokenizer(folder), T5Tokenizer.from_pretrained(folder)
    assert (ours.begin, ours.end, ours.pad, ours.comma) == (None, 1, 0, None)
    compare(ours, theirs, STRINGS if tables else STRINGS[::10], length=256)


def test_t5_from_a_tokenizer_json(t5_files: Path, tmp_path: Path):
    T5Tokenizer.from_pretrained(t5_files).save_pretrained(tmp_path)
    assert not (tmp_path / "spiece.model").exists()
    compare(t5_tokenizer(tmp_path), T5Tokenizer.from_pretrained(tmp_path), STRINGS[::10])


def test_pieces_are_sentencepieces_own(t5_files: Path):
    pieces = read_pieces(t5_files / "spiece.model")
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(t5_files / "spiece.model"))
    every = range(theirs.get_piece_size())
    assert pieces.scores == [(theirs.id_to_piece(i), theirs.get_score(i)) for i in every]
    assert pieces.marks == ["<pad>", "</s>", "<mark>"]
    assert len(pieces.normaliser) > 100_000


@given(st.lists(st.one_of(st.text(max_size=8), st.sampled_from(PIECES)), max_size=5).map("".join))
def test_whatever_is_typed(pairs, text: str):
    for ours, theirs in pairs:
        assert ours.encode(text) == theirs(text, add_special_tokens=False).input_ids


@pytest.fixture(scope="session")
def pairs(clip_files: Path, t5_files: Path):
    return [
        (clip_tokenizer(clip_files), CLIPTokenizer.from_pretrained(clip_files)),
        (t5_tokenizer(t5_files), T5Tokenizer.from_pretrained(t5_files)),
    ]


@pytest.mark.parametrize("part", ["normalizer", "pre_tokenizer"])
def test_a_part_that_is_missing_is_seen(pairs, part: str):
    """The strings tell a tokenizer without one of its parts."""
    for ours, theirs in pairs:
        lamed = Tokenizer.from_str(ours.tokenizer.to_str())
        split = pre_tokenizers.ByteLevel(add_prefix_space=False) if ours.begin else None
        setattr(lamed, part, split if part == "pre_tokenizer" else None)
        with pytest.raises(AssertionError):
            compare(
                TextTokenizer(lamed, ours.begin, ours.end, ours.pad, None), theirs, STRINGS[:500]
            )

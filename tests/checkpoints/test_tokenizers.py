"""What is refused; that tokens are right is shown in tests/parity."""

import gzip
import json
from pathlib import Path

import pytest

from mezzotint.checkpoints import special_tokens
from mezzotint.checkpoints.tokenizers import (
    BEGIN,
    CLIP_MERGES,
    CLIP_SIZE,
    END,
    clip_tokenizer,
    is_clip,
    is_t5,
    t5_tokenizer,
)
from mezzotint.errors import InputError

MERGES = ["a t</w>", "c at</w>"]


def test_ids_of_merges_alone(tmp_path: Path):
    """CLIP's ids as they are known: "!" is 0, "!</w>" 256, ",</w>" 267, "a</w>" 320."""
    (file := tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    tokenizer = clip_tokenizer(file)
    assert tokenizer.comma == 267
    assert tokenizer.encode("A cat, CAT !") == [320, 513, 267, 513, 256]
    assert tokenizer.tokenizer.decode([320, 513, 267]) == "a cat ,"  # and no ends of words
    assert [tokenizer.tokenizer.decode([each]) for each in (320, 64)] == ["a", "a"]
    assert tokenizer.tokenizer.decode([]) == ""
    assert tokenizer.batch(["a", "a a a a a"], 5) == [
        [514, 320, 515, 515, 515],
        [514, 320, 320, 320, 515],
    ]
    # as Stable Diffusion 2's and XL's second are padded; "!" is then padding in a prompt as well
    padded = clip_tokenizer(file, pad="!")
    assert (padded.pad, padded.encode("a!")) == (0, [320, 0])


def test_openai_s_own_file_is_cut_where_clip_cuts_it(tmp_path: Path):
    merges = [f"{a} {b}" for a in "abcdefghij" for b in map(chr, range(0x4E00, 0x4E00 + 5000))]
    file = tmp_path / CLIP_MERGES
    file.write_bytes(gzip.compress("\n".join(['"bpe#version: 0.2', *merges]).encode()))
    assert is_clip(tmp_path)
    assert is_clip(file)
    file.write_bytes(gzip.compress("\n".join(['"bpe#version: 0.2', *merges[:9]]).encode()))
    assert not is_clip(file)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("vocab.json", "{", "not JSON"),
        ("vocab.json", "[" * 100_000, "not JSON"),
        ("vocab.json", "[]", "not a JSON object"),
        ("vocab.json", json.dumps({"a": 0, BEGIN: 1, END: 2}), "merges.txt"),
        ("merges.txt", "a b c\n", "not a list of merges"),
        ("tokenizer.json", "{}", "not the tokenizer"),
        ("tokenizer.json", json.dumps({"model": {"vocab": [], "merges": ["a"]}}), "not the token"),
        ("tokenizer.json", json.dumps({"model": {"vocab": 1, "merges": []}}), "not the token"),
        ("readme", "", "has no CLIP vocabulary"),
    ],
)
def test_bad_clip_files(tmp_path: Path, name: str, content: str, says: str):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        clip_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert not is_clip(tmp_path)


def test_a_vocabulary_that_does_not_fit_itself(tmp_path: Path):
    (tmp_path / "merges.txt").write_text("x y\n")
    (tmp_path / "vocab.json").write_text(json.dumps({"x": 0, "y": 1, BEGIN: 2, END: 3}))
    with pytest.raises(InputError, match="not a CLIP vocabulary"):
        clip_tokenizer(tmp_path)
    (tmp_path / "merges.txt").write_text("x y</w>\n")
    (tmp_path / "vocab.json").write_text(json.dumps({"x": 0, "y</w>": 1, "xy</w>": 2}))
    with pytest.raises(InputError, match=r"has no '<\|startoftext\|>'"):
        clip_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"added_tokens_decoder": {"0": {"lstrip": True}}},
        {"added_tokens_decoder": {"zero": {"content": "a"}}},
        {"added_tokens_decoder": [1]},
        {"bos_token": {"content": 5}},
        {"added_tokens_decoder": {}, "bos_token": 5},
        {"added_tokens_decoder": {}, "extra_special_tokens": [[]]},
    ],
)
def test_bad_special_tokens(tmp_path: Path, config: dict):
    (tmp_path / "merges.txt").write_text("\n".join(MERGES))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="special tokens cannot be understood"):
        clip_tokenizer(tmp_path)


def test_bad_t5_files(tmp_path: Path):
    with pytest.raises(InputError, match=r"cannot read .*spiece\.model"):
        t5_tokenizer(tmp_path)
    for model in ({}, {"vocab": 3}, {"vocab": [["a"]]}, {"vocab": [["a", "b"]]}):
        (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
        with pytest.raises(InputError, match="not the tokenizer of a T5"):
            t5_tokenizer(tmp_path)
        assert not is_t5(tmp_path)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": [["a", 0.0]]}}))
    with pytest.raises(InputError, match="not a T5 vocabulary"):
        t5_tokenizer(tmp_path)


def test_files_too_large_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nor a small file that would become large."""
    monkeypatch.setattr(special_tokens, "MAX_FILE", 2**20)
    (file := tmp_path / CLIP_MERGES).write_bytes(gzip.compress(bytes(2**20 + 1)))
    assert file.stat().st_size < 2**12
    with pytest.raises(InputError, match="too large"):
        clip_tokenizer(file)


def test_sizes_are_those_published():
    assert CLIP_SIZE == 2 * 256 + 48_894 + 2

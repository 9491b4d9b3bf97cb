"""Write the folders of tokenizers that transformers reads."""

import json
import shutil
from pathlib import Path

from mezzotint.checkpoints.tokenizers import TextTokenizer

_T5_FILES = ("tokenizer.json", "spiece.model", "special_tokens_map.json", "added_tokens.json")


def write_clip_tokenizer(folder: Path, tokenizer: TextTokenizer, length: int) -> None:
    """Write a CLIP's vocabulary, merges and special tokens to a new folder.

    Args:
        folder: its parent is there.
        tokenizer: of a CLIP.
        length: tokens that the text encoder takes.
    """
    model = json.loads(tokenizer.tokenizer.to_str())["model"]
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    folder.mkdir()
    write_json(folder / "vocab.json", model["vocab"])
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), "utf-8")
    ids = {"bos": tokenizer.begin or 0, "eos": tokenizer.end, "unk": tokenizer.end}
    named = ids | {"pad": tokenizer.pad}
    tokens = {f"{name}_token": tokenizer.tokenizer.id_to_token(i) for name, i in named.items()}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": length, "do_lower_case": True}
    write_json(folder / "tokenizer_config.json", config | tokens)


def write_t5_tokenizer(folder: Path, found: Path, length: int) -> None:
    """Write a T5's vocabulary to a new folder, copied from where it was found.

    Args:
        folder: its parent is there.
        found: a folder with one, or a sentencepiece model.
        length: tokens that the text encoder is given.
    """
    folder.mkdir()
    names = [name for name in _T5_FILES if (found / name).is_file()]
    for name in names:
        shutil.copyfile(found / name, folder / name)
    if found.is_file():
        shutil.copyfile(found, folder / "spiece.model")
    config = found / "tokenizer_config.json"
    told = json.loads(config.read_text("utf-8")) if config.is_file() else {"extra_ids": 100}
    named = {"tokenizer_class": "T5Tokenizer", "model_max_length": length}
    write_json(folder / "tokenizer_config.json", told | named)


def write_json(path: Path, table: object) -> None:
    """Write a table as people read it."""
    path.write_text(json.dumps(table, indent=2, ensure_ascii=False) + "\n", "utf-8")

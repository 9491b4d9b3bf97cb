"""The tokens that a folder says stand for themselves, as transformers understands it.

They are found in a text before anything else is done to it. Several files tell of them, and what
one says of a token, such as whether it is looked for in lower case, decides what a text becomes.
"""

import gzip
import json
from pathlib import Path
from typing import Any, cast

from tokenizers import AddedToken, Tokenizer

from mezzotint.errors import InputError

MAX_FILE = 64 * 2**20  # bytes; the largest published ones have 2.5 MiB

_NAMED = [f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask")]


def add_specials(
    tokenizer: Tokenizer, folder: Path | None, defaults: dict[str, str], extra: list[str]
) -> dict[str, str]:
    """Add the tokens that stand for themselves; give the texts of the named ones.

    The order is transformers', because a later one changes the flags of an earlier: first those
    with an id, then the named ones as they are told, then the rest.

    Args:
        tokenizer: what they are added to.
        folder: where `tokenizer_config.json` and its older forms are asked for, if it is given.
        defaults: the named ones, `bos_token` and so on, where nothing is said of them.
        extra: the further ones, where nothing is said of them.

    Raises:
        InputError: what the files say cannot be understood.
    """
    try:
        return _add(tokenizer, folder, defaults, extra)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{folder}: its special tokens cannot be understood: {error}") from error


def _add(
    tokenizer: Tokenizer, folder: Path | None, defaults: dict[str, str], extra: list[str]
) -> dict[str, str]:
    config, added = _config(folder) if folder else ({}, {})
    known = {token.content: token for token in added.values()}
    named = {
        name: known.get(str(token), token)
        for name in _NAMED
        if (token := _token(config.get(name, defaults.get(name)))) is not None
    }
    told = config.get("extra_special_tokens") or config.get("additional_special_tokens")
    tokens: list[str | AddedToken] = [added[i] for i in sorted(added)]
    for token in [*named.values(), *(_token(each) for each in told or extra)]:
        if token is not None and str(token) not in known and token not in tokens:
            tokens.append(token)
    special = {str(token) for token in named.values()}
    for token in tokens:
        if isinstance(token, AddedToken) and token.content in special:
            token.special = True
    tokenizer.add_tokens(
        [AddedToken(each, special=True) if isinstance(each, str) else each for each in tokens]
    )
    return {name: str(token) for name, token in named.items()}


def _config(folder: Path) -> tuple[dict[str, Any], dict[int, AddedToken]]:
    """What a folder says of its special tokens, newer files before older; those with an id."""
    files = {
        name: read_json(file) if (file := folder / f"{name}.json").is_file() else {}
        for name in ("tokenizer_config", "special_tokens_map", "added_tokens", "tokenizer")
    }
    config = files["tokenizer_config"]
    if "added_tokens_decoder" in config:
        entries = config["added_tokens_decoder"].items()
        return config, {int(i): _added(entry) for i, entry in entries}
    named = {
        name: {**value, "special": True} if isinstance(value, dict) else value
        for name, value in files["special_tokens_map"].items()
    }
    config = config | named
    special = {str(_token(config.get(name))) for name in _NAMED}
    added = {
        int(i): AddedToken(text, normalized=text not in special, special=text in special)
        for text, i in files["added_tokens"].items()
    }
    entries = files["tokenizer"].get("added_tokens", [])
    return config, added | {int(entry["id"]): _added(entry) for entry in entries}


def _token(value: Any) -> str | AddedToken | None:
    return _added(value) if isinstance(value, dict) else value


def _added(entry: Any) -> AddedToken:
    flags = ("lstrip", "rstrip", "single_word", "normalized", "special")
    return AddedToken(entry["content"], **{flag: entry[flag] for flag in flags if flag in entry})


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in ``file``.

    Raises:
        InputError: there is none that can be read.
    """
    try:
        table = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not JSON: {error}") from error
    if not isinstance(table, dict):
        raise InputError(f"{file} is not a JSON object")
    return cast("dict[str, Any]", table)


def read_text(file: Path) -> str:
    """The text in ``file``, unpacked if it is packed.

    Raises:
        InputError: it cannot be read, is no text, or is larger than any vocabulary.
    """
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            data = stream.read(MAX_FILE + 1)
        text = data.decode()
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"cannot read {file}: {error}") from error
    if len(data) > MAX_FILE:
        raise InputError(f"{file} is too large for a vocabulary: over {MAX_FILE >> 20} MiB")
    return text

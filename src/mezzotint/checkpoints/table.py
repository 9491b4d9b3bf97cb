"""JSON files that come with weights: configurations, and the index of a set of shards."""

import json
from pathlib import Path
from typing import cast

from mezzotint.checkpoints.claims import DAMAGE, why
from mezzotint.errors import InputError
from mezzotint.files.pages import file_size

MAX_BYTES = 100_000_000


def read_table(path: Path) -> dict[str, object]:
    """What a JSON file of names and values says.

    Raises:
        InputError: it cannot be read, is not JSON, or is not a table.
    """
    if file_size(path) > MAX_BYTES:
        raise InputError(f"{path} is too large for a table of JSON: {file_size(path):,} bytes")
    try:
        table: object = json.loads(path.read_bytes().decode())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except DAMAGE as error:
        raise InputError(f"{path} is not JSON: {why(error)}") from error
    if not isinstance(table, dict):
        raise InputError(f"{path} is not a table of JSON")
    return cast("dict[str, object]", table)

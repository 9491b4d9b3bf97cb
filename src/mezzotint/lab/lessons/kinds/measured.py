"""What ``bench/taxonomy.py`` measured of the four kinds on pictures, if it has left its table."""

import json
from functools import cache
from pathlib import Path
from typing import TypedDict

FILE = Path(__file__).parents[2] / "measured" / "taxonomy.json"


class Table(TypedDict):
    """A table as a page shows it.

    Attributes:
        made: by which command, on which machine.
        columns: their heads; the first is the kind.
        rows: texts, one a column.
    """

    made: str
    columns: list[str]
    rows: list[list[str]]


@cache
def table(file: Path = FILE) -> Table | None:
    """The table, or None where nothing was measured."""
    if not file.is_file():
        return None
    return json.loads(file.read_text("utf-8"))

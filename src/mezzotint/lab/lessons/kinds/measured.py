"""What ``bench/taxonomy.py`` measured of the four kinds on pictures, if it has left its table."""

from pathlib import Path
from typing import TypedDict

from mezzotint.lab.measured import FOLDER, measured

FILE = FOLDER / "taxonomy.json"


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


def table(file: Path = FILE) -> Table | None:
    """The table, or None where nothing was measured."""
    return measured(file)

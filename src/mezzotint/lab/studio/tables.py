"""The gallery's database: its tables, and what of a row a page is told."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mezzotint.errors import InputError

VERSION = 1
BUSY_SECONDS = 10.0  # that a server waits for another one's write to this gallery

_TABLES = """
CREATE TABLE IF NOT EXISTS pictures (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    prompt TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    made REAL NOT NULL,
    recipe TEXT NOT NULL,
    settings TEXT NOT NULL,
    favourite INTEGER NOT NULL DEFAULT 0,
    deleted REAL
);
CREATE INDEX IF NOT EXISTS by_time ON pictures (made, number);
CREATE INDEX IF NOT EXISTS by_prompt ON pictures (prompt);
CREATE TABLE IF NOT EXISTS inputs (
    picture TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (picture, name)
);
CREATE TABLE IF NOT EXISTS preferences (
    made REAL NOT NULL,
    prompt TEXT NOT NULL,
    better TEXT NOT NULL,
    worse TEXT NOT NULL,
    told TEXT NOT NULL,
    one TEXT NOT NULL,
    other TEXT NOT NULL,
    PRIMARY KEY (one, other)
);
"""

_WORDS = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    prompt, content = 'pictures', content_rowid = 'number',
    tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER IF NOT EXISTS said AFTER INSERT ON pictures BEGIN
    INSERT INTO words (rowid, prompt) VALUES (new.number, new.prompt);
END;
CREATE TRIGGER IF NOT EXISTS unsaid AFTER DELETE ON pictures BEGIN
    INSERT INTO words (words, rowid, prompt) VALUES ('delete', old.number, old.prompt);
END;
"""


@dataclass(frozen=True)
class Entry:
    """A picture of the gallery.

    Attributes:
        id: what it is known by.
        kind: "picture" for what was drawn of a prompt alone, "edit"; "sheet" for a grid, and "cell"
            for each picture on it.
        prompt: of it.
        width, height: pixels.
        made: when, in seconds of Unix's time.
        recipe: the text that its PNG carries.
        settings: what the studio is asked to make it again.
        favourite: whether somebody marked it so.
    """

    id: str
    kind: str
    prompt: str
    width: int
    height: int
    made: float
    recipe: str
    settings: Mapping[str, Any]
    favourite: bool = False


COLUMNS = "id, kind, prompt, width, height, made, recipe, settings, favourite"


def entry(row: sqlite3.Row) -> Entry:
    """The entry of a row of ``COLUMNS``."""
    told = dict(row)
    told["settings"] = json.loads(told["settings"])
    told["favourite"] = bool(told["favourite"])
    return Entry(**told)


def opened(path: Path) -> tuple[sqlite3.Connection, bool]:
    """A database with its tables, and whether words can be looked up in it (SQLite's FTS5).

    Raises:
        InputError: the file is no such database, cannot be written, or is a newer version's.
    """
    try:
        database = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise InputError(f"the gallery {path.parent} is of a newer mezzotint: update this one")
        database.executescript(
            f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT"
        )
        return database, _has_words(database)
    except sqlite3.Error as error:
        raise InputError(f"the gallery {path.parent} cannot be opened: {error}") from error


def _has_words(database: sqlite3.Connection) -> bool:
    try:
        database.executescript(f"BEGIN IMMEDIATE; {_WORDS} COMMIT")
    except sqlite3.OperationalError as error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        if "fts5" not in str(error):
            raise
        return False
    return True

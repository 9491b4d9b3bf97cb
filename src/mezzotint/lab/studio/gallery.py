"""Pictures that are kept: a PNG each, with its recipe in it, and a row that finds it.

A picture's file is written whole before its row is committed, and both while SQLite's write lock is
held. So whoever holds that lock sees no server at work: a file without a row is one that a server
was killed over, and it is taken in; what was not even written whole is swept. The lock is the
kernel's, which takes it back from whoever dies.
"""

import json
import re
import secrets
import sqlite3
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image

from mezzotint.errors import InputError
from mezzotint.files import made, write_whole
from mezzotint.lab.studio.brought import pictures
from mezzotint.lab.studio.stored import carried, file_of
from mezzotint.lab.studio.tables import COLUMNS, Entry, entry, opened

DAYS_KEPT = 7  # that a deleted picture can be brought back
MOST_DELETED = 500
MOST_AT_ONCE = 200

_OWN, _INPUT = re.compile(r"[0-9a-f]{24}"), re.compile(r"[0-9a-f]{16}")
_WORD = re.compile(r"[^\W_]+")


class PictureGoneError(InputError):
    """A picture that is not there, or no longer."""

    def __init__(self) -> None:
        super().__init__("there is no such picture in the gallery: it may have been deleted")


class Gallery:
    """A folder of pictures and its database; several servers may have it open at once."""

    def __init__(self, folder: Path) -> None:
        """Open the gallery, made if it is not there, and put right what a killed server left.

        Args:
            folder: of the gallery.

        Raises:
            InputError: it cannot be written, or is another version's.
        """
        self.folder = folder
        self._pictures, self._inputs = made(folder / "pictures"), made(folder / "inputs")
        self._lock = Lock()
        self._database, self._has_words = opened(folder / "gallery.sqlite")
        self._swept()

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def keep(
        self,
        image: Image.Image,
        kind: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, Image.Image] | None = None,
    ) -> Entry:
        """Keep a picture that has its recipe.

        Args:
            image: with the recipe that ``metadata.attach`` gives.
            kind: as ``Entry`` has it.
            settings: as ``Entry`` has them.
            inputs: pictures that it was made of, by the names that ``settings`` know them by.

        Raises:
            InputError: it cannot be written.
        """
        own, now = secrets.token_hex(12), time.time()
        recipe = str(image.info["parameters"])
        prompt = str(settings.get("prompt", ""))
        new = Entry(own, kind, prompt, image.width, image.height, now, recipe, settings)
        data = file_of(image, new)
        brought = {name: file_of(each) for name, each in (inputs or {}).items()}
        with self.changing() as database:
            for name, file in brought.items():
                database.execute("INSERT INTO inputs VALUES (?, ?)", (own, name))
                if not (place := self._inputs / f"{name}.png").exists():
                    write_whole(place, file)
            write_whole(self._file(own), data)
            _insert(database, new)
        return new

    def find(self, asked: str) -> Entry:
        """The picture that is known by ``asked``.

        Raises:
            PictureGoneError: there is none.
        """
        query = f"SELECT {COLUMNS} FROM pictures WHERE id = ? AND deleted IS NULL"
        rows = self.asked(query, (asked,)) if _OWN.fullmatch(asked) else []
        if not rows:
            raise PictureGoneError
        return entry(rows[0])

    def file(self, asked: str) -> Path:
        """The PNG of a picture.

        Raises:
            PictureGoneError: there is none.
        """
        path = self._file(self.find(asked).id)  # the name is the database's, never the request's
        if not path.is_file():
            raise PictureGoneError
        return path

    def input(self, name: str) -> Image.Image | None:
        """What some picture of the gallery was made of, if it is known by ``name``."""
        rows = self.asked("SELECT name FROM inputs WHERE name = ? LIMIT 1", (name,))
        path = self._inputs / f"{rows[0]['name']}.png" if rows else None
        if path is None or not path.is_file():
            return None
        with Image.open(path) as file:
            file.load()
            return file

    def newest(
        self, search: str = "", *, favourite: bool = False, before: str = "", limit: int = 50
    ) -> tuple[list[Entry], bool]:
        """Pictures, newest first, and whether there are more; a grid's cells if favourites only.

        Args:
            search: each of its words begins a word of the prompt, or is found anywhere in it where
                SQLite was built without FTS5.
            favourite: only those.
            before: only older ones than the picture of this id, which may have been deleted since.
            limit: how many, 1 to ``MOST_AT_ONCE``.
        """
        limit = max(1, min(limit, MOST_AT_ONCE))
        wanted, told = ["deleted IS NULL", "(kind != 'cell' OR favourite)"], list[str]()
        if favourite:
            wanted.append("favourite")
        if before:
            wanted.append("(made, number) < (SELECT made, number FROM pictures WHERE id = ?)")
            told.append(before)
        if search.strip():
            condition, words = self._said(search)
            wanted.append(condition)
            told += words
        rows = self.asked(
            f"SELECT {COLUMNS} FROM pictures WHERE {' AND '.join(wanted)} "
            "ORDER BY made DESC, number DESC LIMIT ?",
            (*told, limit + 1),
        )
        return [entry(row) for row in rows[:limit]], len(rows) > limit

    def favour(self, asked: str, on: bool) -> None:
        """Mark a picture as a favourite, or no longer.

        Raises:
            PictureGoneError: there is none.
        """
        self._update("favourite = ? WHERE id = ? AND deleted IS NULL", on, asked)

    def delete(self, asked: str) -> None:
        """Delete a picture, so that it can be brought back for a while.

        Raises:
            PictureGoneError: there is none.
        """
        self._update("deleted = ? WHERE id = ? AND deleted IS NULL", time.time(), asked)
        self.purge()

    def restore(self, asked: str) -> None:
        """Bring back a picture that was deleted; one that is there is left as it is.

        Raises:
            PictureGoneError: there is none, or no longer.
        """
        with self.changing() as database:
            row = database.execute("SELECT id FROM pictures WHERE id = ?", (asked,)).fetchone()
            if row is None or not self._file(row["id"]).is_file():
                raise PictureGoneError
            database.execute("UPDATE pictures SET deleted = NULL WHERE id = ?", (asked,))

    def purge(self) -> None:
        """Give up what was deleted long ago, or longest ago of too many, and old cells of grids."""
        last = time.time() - DAYS_KEPT * 86400
        with self.changing() as database:
            rows = database.execute(
                "SELECT id, deleted FROM pictures WHERE deleted IS NOT NULL ORDER BY deleted DESC"
            ).fetchall()
            gone = [row for k, row in enumerate(rows) if k >= MOST_DELETED or row["deleted"] < last]
            gone += database.execute(
                "SELECT id FROM pictures WHERE deleted IS NULL AND kind = 'cell' "
                "AND NOT favourite AND made < ?",
                (last,),
            ).fetchall()
            for row in gone:
                # first the file: killed in between, the row is given up the next time
                self._file(row["id"]).unlink(missing_ok=True)
                _forget(database, row["id"])

    def asked(self, query: str, told: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Rows of a query that changes nothing."""
        with self._lock, self._faults():
            return self._database.execute(query, told).fetchall()

    @contextmanager
    def changing(self) -> Generator[sqlite3.Connection]:
        """The database, for changes that are made together or not at all, and by nobody else."""
        with self._lock, self._faults():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _faults(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise InputError(f"the gallery {self.folder} cannot be used: {error}") from error

    def _file(self, own: str) -> Path:
        return self._pictures / f"{own}.png"

    def _update(self, what: str, *told: object) -> None:
        with self.changing() as database:
            if not database.execute(f"UPDATE pictures SET {what}", told).rowcount:
                raise PictureGoneError

    def _said(self, search: str) -> tuple[str, list[str]]:
        """A condition on prompts, and what it is told."""
        if self._has_words:
            words = _WORD.findall(search)
            query = " ".join(f'"{word}"*' for word in words) or '""'
            return "number IN (SELECT rowid FROM words WHERE words MATCH ?)", [query]
        words = [re.sub(r"([\\%_])", r"\\\1", word) for word in search.split()]
        return " AND ".join([r"prompt LIKE ? ESCAPE '\'"] * len(words)), [f"%{w}%" for w in words]

    def _swept(self) -> None:
        """Take in pictures without a row, and clear away what is not whole or of no use."""
        with self.changing() as database:
            known = {row["id"] for row in database.execute("SELECT id FROM pictures")}
            there: set[str] = set()
            for path in sorted(self._pictures.glob("*.png")):
                if not path.name.startswith(".") and _OWN.fullmatch(path.stem):
                    there.add(path.stem)
                    if path.stem not in known and (found := carried(path)):
                        _insert(database, found)
                        self._found_again(database, found)
            gone = database.execute("SELECT id FROM pictures WHERE deleted IS NULL").fetchall()
            for row in gone:
                if row["id"] not in there:
                    _forget(database, row["id"])
            used = {row["name"] for row in database.execute("SELECT name FROM inputs")}
            for path in (*self._pictures.glob(".*.part"), *self._inputs.glob("*")):
                if path.suffix == ".part" or path.stem not in used:
                    path.unlink(missing_ok=True)
        self.purge()

    def _found_again(self, database: sqlite3.Connection, new: Entry) -> None:
        """See that what a picture was made of is kept with it."""
        with suppress(InputError):  # whatever somebody wrote there
            for name in pictures(new.settings):
                if _INPUT.fullmatch(name) and (self._inputs / f"{name}.png").is_file():
                    database.execute("INSERT INTO inputs VALUES (?, ?)", (new.id, name))


def _insert(database: sqlite3.Connection, new: Entry) -> None:
    database.execute(
        f"INSERT INTO pictures ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(new.id, new.kind, new.prompt, new.width, new.height, new.made, new.recipe),
            *(json.dumps(new.settings, ensure_ascii=False), new.favourite),
        ),
    )


def _forget(database: sqlite3.Connection, own: str) -> None:
    database.execute("DELETE FROM inputs WHERE picture = ?", (own,))
    database.execute("DELETE FROM pictures WHERE id = ?", (own,))

"""The gallery: nothing that was kept is lost, nothing half is left, whoever dies or writes too.

A server is killed by the kernel (SIGKILL) in a forked process, at the worst moments there are.
"""

import io
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from PIL import Image

from mezzotint.errors import InputError
from mezzotint.lab.studio import Gallery, gallery, tables
from mezzotint.lab.studio.folder import default
from mezzotint.lab.studio.gallery import DAYS_KEPT, PictureGoneError
from mezzotint.lab.studio.stored import thumbnail

WORDS = ("fox", "fog", "snow", "Snowman", "night")


def drawn(prompt: str = "a fox", size: tuple[int, int] = (6, 4)) -> Image.Image:
    image = Image.new("RGB", size, "teal")
    image.info["parameters"] = (
        f"{prompt}\nSteps: 1, Sampler: DDIM, CFG scale: 1.0, Seed: 7, Size: 6x4"
    )
    return image


def kept(into: Gallery, prompt: str = "a fox", kind: str = "picture", **also) -> str:
    return into.keep(drawn(prompt), kind, {"prompt": prompt, "seed": 7}, **also).id


def all_of(found: Gallery) -> list[str]:
    ids: list[str] = []
    more = True
    while more:
        page, more = found.newest(before=ids[-1] if ids else "", limit=200)
        ids += [each.id for each in page]
    return ids


def whole(found: Gallery) -> bool:
    """Whether every entry has its picture, readable to the last byte, and there is nothing else."""
    ids = set(all_of(found))
    for own in ids:
        try:
            with Image.open(found.file(own)) as file:
                file.load()
        except (InputError, OSError):
            return False
    return {path.name for path in (found.folder / "pictures").iterdir()} == {
        f"{own}.png" for own in ids
    }


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "gallery"


def test_a_picture_is_kept_with_its_recipe(folder):
    own = kept(Gallery(folder))
    again = Gallery(folder)
    found = again.find(own)
    assert (found.prompt, found.width, found.height) == ("a fox", 6, 4)
    assert found.settings == {"prompt": "a fox", "seed": 7}
    with Image.open(again.file(own)) as file:
        assert file.info["parameters"] == found.recipe == drawn().info["parameters"]
        assert file.getpixel((0, 0)) == drawn().getpixel((0, 0))


def test_newest_come_first_a_page_at_a_time(folder):
    found = Gallery(folder)
    ids = [kept(found, f"picture {k}") for k in range(5)][::-1]
    first, more = found.newest(limit=2)
    assert ([each.id for each in first], more) == (ids[:2], True)
    found.delete(ids[1])  # what was seen last may go meanwhile
    rest, more = found.newest(before=ids[1], limit=3)
    assert ([each.id for each in rest], more) == (ids[2:], False)


def test_a_deleted_picture_comes_back_and_in_the_end_does_not(folder, monkeypatch):
    found = Gallery(folder)
    own, other = kept(found), kept(found)
    found.favour(own, True)
    found.delete(own)
    assert all_of(found) == [other]
    with pytest.raises(PictureGoneError):
        found.file(own)
    with pytest.raises(PictureGoneError):
        found.favour(own, False)
    found.restore(own)
    assert found.find(own).favourite
    found.delete(own)
    later = time.time() + (DAYS_KEPT + 1) * 86400
    monkeypatch.setattr(gallery.time, "time", lambda: later)
    found.purge()
    with pytest.raises(PictureGoneError):
        found.restore(own)
    assert whole(found)


def test_of_too_many_deleted_the_last_are_kept(folder, monkeypatch):
    monkeypatch.setattr(gallery, "MOST_DELETED", 2)
    found = Gallery(folder)
    ids = [kept(found) for _ in range(4)]
    for own in ids:
        found.delete(own)
    for own in ids[:2]:
        with pytest.raises(PictureGoneError):
            found.restore(own)
    for own in ids[2:]:
        found.restore(own)
    assert whole(found)


def test_cells_of_a_grid_are_hidden_unless_they_are_favourites_and_go_with_time(
    folder, monkeypatch
):
    found = Gallery(folder)
    cell, loved = kept(found, kind="cell"), kept(found, kind="cell")
    assert all_of(found) == []
    assert found.find(cell).kind == "cell"
    found.favour(loved, True)
    assert all_of(found) == [loved]
    later = time.time() + (DAYS_KEPT + 1) * 86400
    monkeypatch.setattr(gallery.time, "time", lambda: later)
    found.purge()
    with pytest.raises(PictureGoneError):
        found.find(cell)
    assert whole(found)


def test_what_a_picture_was_made_of_is_kept_as_long_as_it(folder):
    found, name = Gallery(folder), "0123456789abcdef"
    own = kept(found, inputs={name: Image.new("RGB", (3, 3), "red")})
    found = Gallery(folder)
    brought = found.input(name)
    assert brought is not None
    assert brought.getpixel((1, 1)) == (255, 0, 0)
    assert found.input("../pictures/" + own) is None
    (folder / "pictures" / f"{own}.png").unlink()  # somebody tidied up
    assert Gallery(folder).input(name) is None
    assert not list((folder / "inputs").iterdir())


@pytest.mark.parametrize("words", [True, False], ids=["fts5", "like"])
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=3), max_size=5),
    st.lists(st.sampled_from(("sn", "FO", "night", "x")), min_size=1, max_size=2),
)
@settings(max_examples=6)
def test_search_finds_what_has_all_words(words: bool, prompts, sought):
    folder, found_in = Path(mkdtemp()), str.startswith if words else str.__contains__
    with pytest.MonkeyPatch.context() as patch:
        if not words:
            patch.setattr(tables, "_WORDS", "CREATE VIRTUAL TABLE none USING no_fts5 (prompt);")
        found = Gallery(folder)
        for prompt in prompts:
            kept(found, " ".join(prompt))
        told = [each.prompt for each in found.newest(" ".join(sought))[0]]
    true = [
        " ".join(prompt)
        for prompt in reversed(prompts)
        if all(any(found_in(w.lower(), s.lower()) for w in prompt) for s in sought)
    ]
    assert told == true
    shutil.rmtree(folder)


@pytest.mark.parametrize("words", [True, False], ids=["fts5", "like"])
@pytest.mark.parametrize(
    "sought", ['"', "cat'; --", "NOT", "a* OR b", "%", "_", "\\", "(", "ümlaut"]
)
def test_whatever_is_searched_for_is_text(folder, monkeypatch, words: bool, sought: str):
    if not words:
        monkeypatch.setattr(tables, "_WORDS", "CREATE VIRTUAL TABLE none USING no_fts5 (prompt);")
    found = Gallery(folder)
    kept(found, "the Fox")
    assert found.newest(sought)[0] == []
    kept(found, f"the {sought} here")
    if any(each.isalnum() for each in sought) or not words:
        assert [each.prompt for each in found.newest(sought)[0]] == [f"the {sought} here"]


class Kept(RuleBasedStateMachine):
    """A gallery beside a dict, opened anew now and then."""

    def __init__(self):
        super().__init__()
        self.folder = Path(mkdtemp())
        self.gallery = Gallery(self.folder)
        self.true: dict[str, list] = {}  # id → [prompt, favourite, deleted]

    @rule(prompt=st.sampled_from(WORDS))
    def keep(self, prompt):
        self.true[kept(self.gallery, prompt)] = [prompt, False, False]

    @precondition(lambda self: self.true)
    @rule(data=st.data(), on=st.booleans())
    def favour(self, data, on):
        own = data.draw(st.sampled_from(list(self.true)))
        if self.true[own][2]:
            with pytest.raises(PictureGoneError):
                self.gallery.favour(own, on)
        else:
            self.gallery.favour(own, on)
            self.true[own][1] = on

    @precondition(lambda self: self.true)
    @rule(data=st.data())
    def delete_or_restore(self, data):
        own = data.draw(st.sampled_from(list(self.true)))
        (self.gallery.restore if self.true[own][2] else self.gallery.delete)(own)
        self.true[own][2] = not self.true[own][2]

    @rule(lost=st.booleans())
    def open_anew(self, lost):
        self.gallery.close()
        if lost and not any(favourite or gone for _, favourite, gone in self.true.values()):
            for path in self.folder.glob("gallery.sqlite*"):  # the pictures know it all
                path.unlink()
        self.gallery = Gallery(self.folder)

    @invariant()
    def agrees(self):
        there = [own for own, (_, _, gone) in self.true.items() if not gone][::-1]
        assert all_of(self.gallery) == there
        loved = [own for own in there if self.true[own][1]]
        assert [each.id for each in self.gallery.newest(favourite=True)[0]] == loved
        fox = [own for own in there if self.true[own][0] == "fox"]
        assert [each.id for each in self.gallery.newest("fox")[0]] == fox

    def teardown(self):
        self.gallery.close()
        shutil.rmtree(self.folder)


Kept.TestCase.settings = settings(max_examples=6, stateful_step_count=12)
TestKept = Kept.TestCase


def forked(act: Callable[[], None]) -> int:
    """A process that does something and dies; its id."""
    child = os.fork()
    if child:
        return child
    try:
        act()
    finally:
        os._exit(1)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def half(path: Path, data: bytes) -> None:
    path.with_name(f".{path.name}.{os.getpid()}.part").write_bytes(data[: len(data) // 2])
    die()


def insert_and_die(*told) -> None:
    real_insert(*told)
    die()


real_insert = gallery._insert
MOMENTS = {
    "while the file is written": ("write_whole", half, 0),
    "between the file and its row": ("_insert", die, 1),
    "before the row is committed": ("_insert", insert_and_die, 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_server_killed_while_it_keeps_a_picture_leaves_a_whole_gallery(folder, moment):
    name, instead, more = MOMENTS[moment]
    before = Gallery(folder)
    own = kept(before)
    before.close()

    def act() -> None:
        found = Gallery(folder)
        setattr(gallery, name, instead)
        kept(found, "the last one")

    _, status = os.waitpid(forked(act), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    found = Gallery(folder)
    assert len(all_of(found)) == 1 + more
    assert own in all_of(found)
    assert whole(found)
    if more:  # with all that was known of it
        assert found.find(all_of(found)[0]).settings == {"prompt": "the last one", "seed": 7}
        assert [each.prompt for each in found.newest("last")[0]] == ["the last one"]


def test_a_server_killed_at_any_time_loses_nothing_it_said_was_kept(folder):
    said: list[str] = []
    for milliseconds in (15, 40, 80):
        reads, writes = os.pipe()

        def act(writes=writes) -> None:
            found = Gallery(folder)
            while True:
                os.write(writes, kept(found).encode() + b"\n")

        child = forked(act)
        os.close(writes)
        first = os.read(reads, 25)
        time.sleep(milliseconds / 1000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reads) as rest:
            said += [*first.decode().split(), *rest.read().split()]
    found = Gallery(folder)
    assert len(said) >= 3
    assert set(said) <= set(all_of(found))
    assert len(all_of(found)) <= len(said) + 3  # and at most one a kill that nobody was told of
    assert whole(found)


def test_several_servers_share_a_gallery(folder):
    def act() -> None:
        found = Gallery(folder)
        for _ in range(4):
            own = kept(found)
            found.favour(own, True)
            found.delete(kept(found))
            Gallery(folder).close()  # which sweeps, while the others write
        os._exit(0)

    children = [forked(act) for _ in range(3)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    found = Gallery(folder)
    assert len(found.newest(favourite=True, limit=200)[0]) == 12
    assert len(all_of(found)) == 12
    with sqlite3.connect(folder / "gallery.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM pictures").fetchone() == (24,)


def test_what_is_half_is_seen_as_such(folder):
    """The control of ``whole``: a file cut short, and one that nobody knows."""
    found = Gallery(folder)
    own = kept(found)
    assert whole(found)
    (folder / "pictures" / "none.png").write_bytes(b"")
    assert not whole(found)
    (folder / "pictures" / "none.png").unlink()
    file = folder / "pictures" / f"{own}.png"
    file.write_bytes(file.read_bytes()[:-30])
    assert not whole(found)


def test_a_strangers_file_is_left_alone(folder):
    Gallery(folder).close()
    place = folder / "pictures"
    strange = {"holiday.png": b"mine", f"{'0' * 24}.png": b"not a picture"}
    for name, data in strange.items():
        (place / name).write_bytes(data)
    assert all_of(Gallery(folder)) == []
    assert {path.name: path.read_bytes() for path in place.iterdir()} == strange


def test_a_thumbnail_is_small_and_of_the_same_shape(folder):
    found = Gallery(folder)
    own = found.keep(drawn(size=(1200, 600)), "picture", {}).id
    with Image.open(found.folder / "pictures" / f"{own}.png") as file:
        assert file.size == (1200, 600)
    with Image.open(io.BytesIO(thumbnail(found.file(own)))) as small:
        assert (small.format, small.size) == ("WEBP", (320, 160))


def test_a_gallery_that_cannot_be_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        Gallery(tmp_path / "file")
    (tmp_path / "gallery.sqlite").write_text("no database at all" * 100)
    with pytest.raises(InputError, match="cannot be opened: file is not a database"):
        Gallery(tmp_path)


def test_a_newer_gallery_is_not_touched(folder):
    Gallery(folder).close()
    with sqlite3.connect(folder / "gallery.sqlite") as database:
        database.execute(f"PRAGMA user_version = {tables.VERSION + 1}")
    with pytest.raises(InputError, match="newer mezzotint"):
        Gallery(folder)


def test_the_gallery_is_among_the_users_data(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default() == tmp_path / "mezzotint" / "gallery"
    for none in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", none)
        assert default() == Path.home() / ".local/share/mezzotint/gallery"

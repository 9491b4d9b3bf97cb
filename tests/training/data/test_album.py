from pathlib import Path

import pytest
from PIL import Image, ImageFile

from mezzotint.adapters.pictures import opened
from mezzotint.errors import InputError
from mezzotint.training.data.album import divided, read_album

TURNED = 0x0112  # EXIF's orientation


def draw(file: Path, size=(24, 16), colour=(200, 30, 30), text=None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(file)
    if text is not None:
        file.with_suffix(".txt").write_text(text)
    return file


def silent(line):
    raise AssertionError(f"warned: {line}")


def read(source, pairs=""):
    said: list[str] = []
    return read_album(source, said.append, pairs), said


def test_a_folder_gives_its_pictures_in_order_with_the_captions_beside_them(tmp_path):
    draw(tmp_path / "b.png", (24, 16), text="a fox\n  in the snow \n")
    draw(tmp_path / "a.jpg", (10, 30))
    draw(tmp_path / "inner" / "c.webp", (8, 8), text="\ufeffa hat")
    album = read_album(tmp_path, silent)
    about = [(shot.file.name, shot.caption, shot.width, shot.height) for shot in album.shots]
    assert about == [
        ("a.jpg", "", 10, 30),
        ("b.png", "a fox in the snow", 24, 16),
        ("c.webp", "a hat", 8, 8),
    ]
    assert all(shot.repeats == 1 and shot.companion is None for shot in album.shots)
    assert album.prior == ()


def test_one_picture_is_an_album(tmp_path):
    draw(tmp_path / "only.png")
    assert len(read_album(tmp_path, silent).shots) == 1


def test_a_toml_names_folders_from_its_own_place_on(tmp_path, monkeypatch):
    draw(tmp_path / "mine" / "a.png", text="sks fox asleep")
    draw(tmp_path / "mine" / "b.png")
    draw(tmp_path / "others" / "c.png")
    file = tmp_path / "album.toml"
    file.write_text(
        '[[folder]]\npath = "mine"\ncaption = "sks fox"\nrepeats = 3\n'
        '[[folder]]\npath = "others"\ncaption = "a fox"\nclass = true\n'
    )
    monkeypatch.chdir("/")
    album = read_album(file, silent)
    assert [(s.caption, s.repeats) for s in album.shots] == [("sks fox asleep", 3), ("sks fox", 3)]
    assert [(s.file.name, s.caption) for s in album.prior] == [("c.png", "a fox")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[[folder]]\npath = 'x'\ncaptoin = 'y'",
            "unknown field 'captoin': did you mean 'caption'",
        ),
        ("[[folder]]\npath = 'x'\nclass_ = true", "unknown field 'class_': did you mean 'class'"),
        ("[[folder]]\npath = 'x'\nrepeats = '3'", "repeats must be of type int, not '3'"),
        ("[[folder]]\npath = 'x'\nrepeats = 0", "repeats 0: give a whole number from 1"),
        ("[[folder]]\ncaption = 'x'", 'has no path: give it as path = "…"'),
        ("[[folders]]\npath = 'x'", "unknown table 'folders': did you mean 'folder'"),
        ("folder = [1]", r"folder must be a table \[\[folder\]\], not 1"),
        ("folder = []", r"names no folders: begin with \[\[folder\]\]"),
        ("folder = ", "is not TOML"),
        ("[[folder]]\npath = 'nowhere'", "no folder .*nowhere: give a folder of pictures"),
        ("[[folder]]\npath = 'x'\nclass = true", "names only folders of a class"),
    ],
)
def test_what_a_toml_says_wrongly_is_named_in_one_line(tmp_path, text, says):
    draw(tmp_path / "x" / "a.png")
    file = tmp_path / "album.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=says) as raised:
        read_album(file, silent)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("source", ["nowhere", "nowhere.toml"])
def test_what_is_not_there_is_named(tmp_path, source):
    with pytest.raises(InputError, match=r"(no folder|cannot read) .*nowhere"):
        read_album(tmp_path / source, silent)


def test_a_folder_without_pictures_is_named_and_so_are_its_captions(tmp_path):
    with pytest.raises(InputError, match=r"no picture in .*: give a folder of pictures"):
        read_album(tmp_path, silent)
    (tmp_path / "fox.txt").write_text("a fox")
    said: list[str] = []
    with pytest.raises(InputError, match="no picture in"):
        read_album(tmp_path, said.append)
    assert len(said) == 1
    assert "1 captions have no picture: fox.txt" in said[0]


def test_captions_without_pictures_are_counted_and_named(tmp_path):
    draw(tmp_path / "whole.png", text="there")
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text("lost")
    album, said = read(tmp_path)
    assert [shot.caption for shot in album.shots] == ["there"]
    assert said == [f"{tmp_path}: 2 captions have no picture: one.txt, two.txt"]


def test_broken_and_huge_pictures_are_skipped_counted_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # twice as many are an error
    draw(tmp_path / "whole.png")
    draw(tmp_path / "bomb.png", (60, 60))
    (tmp_path / "lie.jpg").write_text("this is no picture")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    album, said = read(tmp_path)
    assert [shot.file.name for shot in album.shots] == ["whole.png"]
    assert said == [
        f"{tmp_path}: skipped 4 of 5 pictures, broken or too large: bomb.png, folder.png, gone.png…"
    ]


def test_no_picture_is_decoded(tmp_path, monkeypatch):
    for kind in ("png", "jpg", "webp", "gif", "tif", "bmp"):
        draw(tmp_path / f"x.{kind}")

    def load(self):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    assert {(s.width, s.height) for s in read_album(tmp_path, silent).shots} == {(24, 16)}


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_sizes_are_those_of_pictures_turned_upright(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[TURNED] = orientation
    Image.new("RGB", (24, 16)).save(tmp_path / f"x.{kind}", exif=exif)
    (shot,) = read_album(tmp_path, silent).shots
    assert (shot.width, shot.height) == opened(shot.file).size
    assert (shot.width > shot.height) == (orientation in (1, 3))


def test_conditions_go_with_the_pictures_of_the_same_names(tmp_path):
    draw(tmp_path / "a.jpg", (64, 48), text="a fox")
    draw(tmp_path / "conditions" / "a.png", (32, 24))
    draw(tmp_path / "in" / "b.png", (48, 64))
    draw(tmp_path / "conditions" / "in" / "b.png", (48, 64))
    shots = read_album(tmp_path, silent, "conditions").shots
    assert [s.companion and s.companion.relative_to(tmp_path).as_posix() for s in shots] == [
        "conditions/a.png",
        "conditions/in/b.png",
    ]
    assert [(s.caption, s.width, s.height) for s in shots] == [("a fox", 64, 48), ("", 48, 64)]


def test_an_instruction_is_beside_what_was_there_before(tmp_path):
    before = draw(tmp_path / "before" / "a.png", text="make it winter")
    after = draw(tmp_path / "after" / "a.png")
    (shot,) = read_album(tmp_path, silent, "after").shots
    assert (shot.file, shot.companion, shot.caption) == (after, before, "make it winter")


def test_pictures_without_a_companion_of_their_shape_are_skipped_and_named(tmp_path):
    for name in ("fits", "alone", "unlike", "lied"):
        draw(tmp_path / f"{name}.png", (40, 20))
    draw(tmp_path / "conditions" / "fits.png", (42, 20))
    draw(tmp_path / "conditions" / "unlike.png", (20, 20))
    (tmp_path / "conditions" / "lied.png").write_text("no picture")
    album, said = read(tmp_path, "conditions")
    assert [shot.file.name for shot in album.shots] == ["fits.png"]
    assert said == [
        f"{tmp_path}: skipped 1 of 4 pictures, without a companion: alone.png",
        f"{tmp_path}: skipped 1 of 4 pictures, with a broken companion: lied.png",
        f"{tmp_path}: skipped 1 of 4 pictures, with a companion of another shape: unlike.png",
    ]


def test_pairs_need_their_folders_and_a_kind_that_is_known(tmp_path):
    draw(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"no folder .*conditions"):
        read_album(tmp_path, silent, "conditions")
    with pytest.raises(InputError, match="unknown kind of pairs 'condition': did you mean"):
        read_album(tmp_path, silent, "condition")
    (tmp_path / "conditions").mkdir()
    with pytest.raises(InputError, match="can be used"):
        read(tmp_path, "conditions")


def test_a_tenth_is_held_out_where_it_can_be_spared(tmp_path):
    for k in range(20):
        draw(tmp_path / f"{k:02d}.png")
    shots = read_album(tmp_path, silent).shots
    train, held = divided(shots, most=5)
    assert (len(train), len(held)) == (18, 2)
    assert {*train, *held} == set(shots)
    assert len(divided(shots, most=1)[1]) == 1
    assert divided(shots, most=5) == (train, held)
    assert divided(shots[:9], most=5) == (list(shots[:9]), list(shots[:9]))

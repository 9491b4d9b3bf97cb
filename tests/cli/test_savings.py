"""`--saving`: what is read of it, and a picture that is drawn with it."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from mezzotint.adapters.savings import deepcache, first_block, token_merging
from mezzotint.cli import app
from mezzotint.cli.savings import savings
from mezzotint.errors import InputError
from mezzotint.families import storybook


def test_names_with_numbers_and_without() -> None:
    asked = savings(["deepcache", "deepcache:2", "first_block: 0.05", "token_merging:0.25"])
    assert asked == [deepcache(), deepcache(2), first_block(0.05), token_merging(0.25)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("depcache:2", "unknown saving 'depcache': did you mean 'deepcache'?"),
        ("deepcache:", "--saving 'deepcache:': write it as NAME:NUMBER, like deepcache:3"),
        ("deepcache:2:3", "--saving 'deepcache:2:3': write it as NAME:NUMBER, like deepcache:3"),
        ("deepcache:2.5", "deepcache every 2.5: give a whole number from 1, such as 2"),
        ("token_merging:0.8", "token_merging ratio 0.8: give a number from 0 to 0.75"),
    ],
)
def test_what_is_none_is_refused_in_one_line(text: str, line: str) -> None:
    with pytest.raises(InputError) as refused:
        savings([text])
    assert str(refused.value) == line


def test_pictures_are_drawn_and_changed_with_it(
    tiny_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storybook.save(tiny_model, Path("model"))
    common = ["--model", "model", "--seed", "1", "--steps", "2"]

    def drawn(verb: list[str], *saved: str) -> bytes:
        words = [word for each in saved for word in ("--saving", each)]
        result = CliRunner().invoke(app, [*verb, *common, *words, "-o", "out.png"])
        assert result.exit_code == 0, result.output
        with Image.open("out.png") as picture:
            return picture.tobytes()

    exact = drawn(["generate", "a fox"])
    Path("out.png").rename("in.png")
    assert drawn(["generate", "a fox"], "deepcache:1", "token_merging:0") == exact
    assert drawn(["generate", "a fox"], "deepcache:2") != exact
    edit = ["edit", "in.png", "a red apple", "--strength", "1"]
    assert drawn(edit, "deepcache:2") != drawn(edit)

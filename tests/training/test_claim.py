"""A folder belongs to the recipe of the run that was begun there, and to none before."""

import json

import pytest

from mezzotint.errors import InputError
from mezzotint.training.run import run


@pytest.fixture
def begin(monkeypatch):
    """Begin a run, and stop before its first step."""
    monkeypatch.setattr("mezzotint.training.run.train", lambda *_: None)
    return run


def test_a_run_that_could_not_begin_leaves_nothing(begin, pictures, tiny_run, tmp_path):
    with pytest.raises(InputError, match=r"no folder .*picturs"):
        begin("autoencoder", tmp_path / "picturs", tmp_path / "run", **tiny_run)
    assert list(tmp_path.iterdir()) == []


def test_its_recipe_can_be_mended(begin, pictures, tiny_run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(InputError, match=r"no folder .*picturs"):
        begin("autoencoder", tmp_path / "picturs", folder, **tiny_run)
    assert folder.exists()
    begin("autoencoder", pictures, folder, **tiny_run)
    with pytest.raises(InputError, match="was begun with lr"):
        begin("autoencoder", pictures, folder, **{**tiny_run, "lr": 0.5})


def test_what_a_denoiser_stands_on_is_looked_for_before_data_is_drawn(begin, tmp_path):
    with pytest.raises(InputError, match=r"autoencoder has no export.*train that recipe"):
        begin("denoiser", None, tmp_path / "denoiser")
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_from_before_a_field_was_there_goes_on(begin, pictures, tiny_run, tmp_path):
    folder = tmp_path / "run"
    begin("autoencoder", pictures, folder, **tiny_run)
    file = folder / "recipe.json"
    recipe = json.loads(file.read_text())
    del recipe["task"]["params"]["groups"]
    file.write_text(json.dumps(recipe))
    begin("autoencoder", pictures, folder, **tiny_run)
    recipe["task"]["params"]["blocks"] += 1
    file.write_text(json.dumps(recipe))
    with pytest.raises(InputError, match=r"was begun with task\.params\.blocks"):
        begin("autoencoder", pictures, folder, **tiny_run)


def test_what_only_says_how_a_run_is_computed_can_change(begin, pictures, tiny_run, tmp_path):
    folder = tmp_path / "run"
    for compiled in (False, True):
        begin("autoencoder", pictures, folder, **{**tiny_run, "compile": compiled})

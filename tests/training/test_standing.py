"""Recipes that stand on a model that is there, instead of runs that would have to make it."""

from dataclasses import replace

import pytest
import torch

import mezzotint as mz
from mezzotint.errors import InputError
from mezzotint.training import standing
from mezzotint.training.assemble import read_autoencoder, read_text, read_tokenizer
from mezzotint.training.data.tokens import encode
from mezzotint.training.exports import read_network
from mezzotint.training.presets import RECIPES
from mezzotint.training.process_group import joined
from mezzotint.training.run import run
from mezzotint.training.standing import standing_on

OURS = "storybook"


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(ours[k].equal(theirs[k]) for k in ours)


def test_every_run_that_a_recipe_looks_for_is_the_model_s_part(tmp_path):
    recipe, model = RECIPES["scenes"], mz.load(OURS).model
    with joined() as group:
        assert standing_on(recipe, OURS, tmp_path, group) == recipe
    assert {path.name for path in tmp_path.iterdir()} == {"autoencoder", "text", "shapes"}
    assert same(read_autoencoder(tmp_path / "autoencoder"), model.autoencoder)
    assert same(read_text(tmp_path / "text"), model.encoders[0].network)
    network = model.network
    begun = read_network(tmp_path / "shapes", "unet", type(network), network.params)
    assert same(begun, network)
    encoder, rows = model.encoders[0], ["a fox", "a fox in the snow " * 20]
    tokens = encode(read_tokenizer(tmp_path / "text"), rows)  # as a model's own encoder has them
    assert (tokens == encoder.windows(rows).numpy()).all()


def test_a_recipe_that_names_a_model_is_told_its_name(tmp_path):
    with joined() as group:
        for name, field in [("instruct", "base"), ("student", "teacher"), ("folded", "teacher")]:
            stood = standing_on(RECIPES[name], OURS, tmp_path, group)
            assert stood.task == replace(RECIPES[name].task, **{field: OURS})
    assert [path.name for path in tmp_path.iterdir()] == ["autoencoder"]  # what folded encodes with


def test_a_run_on_a_model_goes_on_and_no_other_is_mistaken_for_it(pictures, tmp_path, capsys):
    fields = {
        "pictures": {"size": 32, "held_out": 4},
        "steps": 2,
        "batch": 4,
        "warmup": 1,
        "validate_every": 2,
        "grid_every": 2,
        "task": {"vision": {"size": 32}},
    }
    run("clip", pictures, tmp_path / "clip", OURS, **fields)
    text = mz.load(OURS).model.encoders[0].network
    assert same(read_text(tmp_path / "clip"), text)  # the tower that it learned to be read with

    run("clip", pictures, tmp_path / "clip", OURS, **fields)
    assert "done before" in capsys.readouterr().err
    (tmp_path / "text" / standing.ORIGIN).write_text('{"model": "another"}')
    with pytest.raises(InputError, match=r"text is there, and not of storybook: leave the model"):
        run("clip", pictures, tmp_path / "clip", OURS, **fields)
    (tmp_path / "text" / standing.ORIGIN).unlink()  # as in a run that was trained
    with pytest.raises(InputError, match="text is there, and not of storybook"):
        run("clip", pictures, tmp_path / "clip", OURS, **fields)


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        ("judge", "recipe 'judge' begins with random weights: leave out storybook"),
        ("smoke", "smoke makes a model from the beginning: leave out storybook"),
    ],
)
def test_what_stands_on_nothing_takes_no_model(recipe, what, tmp_path):
    with pytest.raises(InputError, match=what):
        run(recipe, None, tmp_path / "run", OURS)
    assert not list(tmp_path.iterdir())


def test_no_other_family_has_the_parts(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(standing, "load", lambda name: mz.Pipeline(tiny_model, ""))
    with pytest.raises(InputError, match="recipe 'clip' cannot stand on tiny: give a model of the"):
        run("clip", None, tmp_path / "run", "tiny")
    assert not list(tmp_path.iterdir())

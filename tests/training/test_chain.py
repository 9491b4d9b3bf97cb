"""From pictures to a model that draws, by one call."""

from dataclasses import replace

import pytest

import mezzotint as mz
from mezzotint.checkpoints.folder import open_folder
from mezzotint.errors import InputError
from mezzotint.training import run as run_module
from mezzotint.training.presets.storybook import CHAINS, PRESETS, untold
from mezzotint.training.run import run

CHANGED = {"steps": 2, "batch": 4, "validate_every": 2, "grid_every": 2}


@pytest.fixture
def short_chain(monkeypatch):
    """The smoke chain at two steps a run."""
    chain = CHAINS["smoke"]
    runs = {name: replace(recipe, **CHANGED) for name, recipe in chain.runs.items()}
    monkeypatch.setitem(run_module.CHAINS, "smoke", replace(chain, runs=runs))


def test_a_chain_ends_in_a_model_that_loads_and_draws(short_chain, pictures, tmp_path, capsys):
    model = run("smoke", pictures, tmp_path)
    assert model == tmp_path / "model"
    assert {*untold(CHAINS["smoke"]).runs, "data"} <= {p.name for p in tmp_path.iterdir()}
    for name in (str(model), f"{model}#flow"):
        drawn = mz.load(name).generate("red on the left", steps=1)
        assert drawn.images[0].size == (64, 64)  # what the chain's pictures have

    capsys.readouterr()
    run("smoke", pictures, tmp_path)
    assert capsys.readouterr().err.count("done before") == 5

    # a denoiser's run alone ends in the same model but for the other parts, in its own folder
    run("smoke-denoiser", pictures, tmp_path / "denoiser", **CHANGED)
    alone, both = (open_folder(path).hashes for path in (tmp_path / "denoiser" / "model", model))
    assert both.keys() - alone.keys() == {"flow.safetensors", "vision.safetensors"}
    assert {name for name in alone if alone[name] != both[name]} == {
        *("sizes.json", "autoencoder.safetensors")  # whose decoder went on
    }


def test_a_chain_takes_fields_by_run(tmp_path):
    with pytest.raises(InputError, match="unknown run of the chain 'steps'"):
        run("smoke", None, tmp_path, steps=3)
    with pytest.raises(InputError, match="recipe 'smoke-flow': lr -1"):
        run("smoke", None, tmp_path, flow={"lr": -1.0})
    assert not list(tmp_path.iterdir())


def test_the_storybook_chain_is_the_presets():
    assert list(CHAINS["storybook"].runs) == [
        *("autoencoder", "decoder", "text", "denoiser", "further", "shapes", "scenes"),
        *("flow", "clip", "folded", "student"),
    ]
    assert CHAINS["storybook"].runs == PRESETS


def test_pictures_that_nothing_is_known_of_have_a_chain_without_questions():
    chain = untold(CHAINS["storybook"])
    assert list(chain.runs) == [
        *("autoencoder", "decoder", "denoiser", "flow", "clip", "folded", "student")
    ]
    towers = {name: getattr(run.task, "text_run", None) for name, run in chain.runs.items()}
    assert towers["denoiser"] == ""
    assert towers["flow"] == towers["clip"] == "denoiser"

"""Two denoisers that read with one text tower: how they are trained, stopped, and put together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.torch import load_file

import mezzotint as mz
from mezzotint.errors import InputError
from mezzotint.families import storybook
from mezzotint.specs import replaced
from mezzotint.training.assemble import pack
from mezzotint.training.presets.storybook import PRESETS
from mezzotint.training.run import run
from mezzotint.training.tasks.denoiser import DenoiserRecipe, DenoiserTask

SHORT = {
    "pictures": {"size": 32, "held_out": 4},
    "steps": 4,
    "batch": 4,
    "warmup": 1,
    "validate_every": 4,
    "grid_every": 4,
    "save_every": 1,
    "bf16": False,
}
TOWER = {"width": 32, "layers": 1, "heads": 2, "hidden": 32}
TEXT = {"tower": TOWER, "projection": 32}
READS = {"context_width": 32, "y_width": 32}
UNET = {"channels": [16, 32], "depths": [0, 1], "heads": [1, 1], "blocks": 1, "groups": 1} | READS
FLOW = {"patch": 2, "width": 32, "blocks": 2, "heads": 2, "hidden": 32} | READS
TASK = {"prompts": ["red on the left"], "single_share": 0.0}
TASKS = {
    "autoencoder": {"params": {"channels": [16, 16], "blocks": 1, "groups": 1}, "crop": 16},
    "denoiser": {"network": UNET, "text": TEXT, **TASK},
    "flow": {"network": FLOW, "text": TEXT, "text_run": "denoiser", "parts": 0.0, **TASK},
    "clip": {
        "text": TEXT,
        "text_run": "denoiser",
        "vision": {"tower": TOWER, "size": 32, "projection": 32},
    },
}


def trained(name: str, pictures: Path, folder: Path, **changed) -> Path:
    return run(name, pictures, folder, **{**SHORT, "task": TASKS[name], **changed})


@pytest.fixture(scope="module")
def home(pictures, tmp_path_factory) -> Path:
    """A run of each preset, at a few steps."""
    home = tmp_path_factory.mktemp("runs")
    for name in TASKS:
        trained(name, pictures, home / name)
    return home


def task_of(name: str) -> DenoiserRecipe:
    task = PRESETS[name].task
    assert isinstance(task, DenoiserRecipe)
    return replaced(task, TASKS[name], name)


def bits(run: Path, file: str) -> bytes:
    return (run / "export" / file).read_bytes()


def test_the_second_denoiser_reads_with_the_first_ones_tower_as_it_is(home, pictures):
    assert bits(home / "flow", "text.safetensors") == bits(home / "denoiser", "text.safetensors")
    along = home / "along"
    trained("flow", pictures, along, task={**TASKS["flow"], "text_run": ""})
    assert bits(along, "text.safetensors") != bits(home / "denoiser", "text.safetensors")


def test_a_run_goes_on_from_another_ones_weights(home, pictures):
    """At a rate of nearly nothing it stays what that was; the text tower learns along."""
    task = {**TASKS["denoiser"], "begin_run": "denoiser"}
    still, other = home / "still", home / "further"
    trained("denoiser", pictures, still, task=task, lr=1e-9)
    first, last = (
        load_file(run / "export" / "unet.safetensors") for run in (home / "denoiser", still)
    )
    assert all((first[name] - last[name]).abs().max() < 1e-6 for name in first)
    assert bits(still, "tokenizer.json") == bits(home / "denoiser", "tokenizer.json")
    trained("denoiser", pictures, other, task=task)
    for file in ("unet.safetensors", "text.safetensors"):
        assert bits(other, file) != bits(home / "denoiser", file)


def test_a_run_of_other_sizes_is_none_to_go_on_from(home, pictures):
    task = {**TASKS["denoiser"], "begin_run": "denoiser"}
    wide = {**task, "network": {**UNET, "channels": [32, 32]}}
    with pytest.raises(InputError, match=r"begin_run 'denoiser' is of other sizes than"):
        trained("denoiser", pictures, home / "wide", task=wide)
    with pytest.raises(InputError, match=r"nowhere has no export/"):
        trained("denoiser", pictures, home / "lost", task={**task, "begin_run": "nowhere"})


def test_clip_images_learn_to_say_what_the_denoisers_tower_reads(home, pictures):
    for file in ("text.safetensors", "tokenizer.json"):
        assert bits(home / "clip", file) == bits(home / "denoiser", file)
    along = home / "clip along"
    trained("clip", pictures, along, task={**TASKS["clip"], "text_run": "", "rivals": 0})
    assert bits(along, "text.safetensors") != bits(home / "denoiser", "text.safetensors")


def test_a_stopped_run_ends_in_the_same_bits(home, pictures, monkeypatch):
    """With another seed it does not."""
    loss, failing = DenoiserTask.loss, home / "stopped"

    def fails(self, batch, draw):
        if draw.step == 2:
            raise KeyboardInterrupt
        return loss(self, batch, draw)

    with monkeypatch.context() as patch:
        patch.setattr(DenoiserTask, "loss", fails)
        with pytest.raises(KeyboardInterrupt):
            trained("flow", pictures, failing)
    assert (failing / "step-00000002").exists()
    trained("flow", pictures, failing)
    assert bits(failing, "flow.safetensors") == bits(home / "flow", "flow.safetensors")
    for part in ("weights", "ema", "optimizer"):
        files = [run / "step-00000004" / f"{part}.safetensors" for run in (failing, home / "flow")]
        assert files[0].read_bytes() == files[1].read_bytes()

    other = home / "other"
    trained("flow", pictures, other, seed=1)
    assert bits(other, "flow.safetensors") != bits(home / "flow", "flow.safetensors")


def test_runs_make_one_model_whose_default_is_the_first(home, tmp_path):
    runs = [(home / name, task_of(name)) for name in ("flow", "denoiser")]
    network = load_file(home / "denoiser" / "export" / "unet.safetensors")["conv_in.weight"]
    student = tmp_path / "student.safetensors"
    changes = {
        "lora_unet_patches.lora_up.weight": torch.ones(32, 1),
        "lora_unet_patches.lora_down.weight": torch.ones(1, 16),
    }
    safetensors.torch.save_file(changes, student)
    pack(runs, 32, tmp_path / "model", home / "clip", {"student": student})
    assert storybook.variants(tmp_path / "model") == ["flow", "unet", "student"]
    loaded = {name: mz.load(f"{tmp_path / 'model'}#{name}") for name in ("flow", "unet", "student")}
    own = loaded["unet"].model.network.state_dict()["conv_in.weight"]
    assert (own - network).abs().max() <= network.abs().max() / 127
    change = [loaded[n].model.network.state_dict()["patches.weight"] for n in ("student", "flow")]
    torch.testing.assert_close(change[0] - change[1], torch.ones(32, 16))
    pictures = [np.asarray(p.generate("red", seed=1).images[0]) for p in loaded.values()]
    assert {picture.shape for picture in pictures} == {(32, 32, 3)}


def test_a_flow_alone_makes_a_model_too(home):
    assert storybook.variants(home / "flow" / "model") == ["flow"]
    assert mz.load(home / "flow" / "model").model.family.prediction == "flow"


def test_runs_that_do_not_go_together_are_refused(home, pictures, tmp_path):
    first = home / "denoiser", task_of("denoiser")
    with pytest.raises(InputError, match="are of one kind, unet: give one"):
        pack([first, first], 32, tmp_path / "model")
    alone = home / "alone"
    trained("flow", pictures, alone, task={**TASKS["flow"], "text_run": ""})
    with pytest.raises(InputError, match=r"has another text tower .* text_run = 'denoiser'"):
        pack([first, (alone, task_of("flow"))], 32, tmp_path / "model")
    with pytest.raises(InputError, match="train that recipe to its end first"):
        pack([first, (home / "nowhere", task_of("flow"))], 32, tmp_path / "model")
    with pytest.raises(InputError, match=r"cannot read .*nothing"):
        pack([first], 32, tmp_path / "model", loras={"student": tmp_path / "nothing"})
    assert not (tmp_path / "model").exists()


def test_a_text_run_has_to_be_finished(home, pictures):
    with pytest.raises(InputError, match=r"nowhere has no export/text\."):
        trained("flow", pictures, home / "early", task={**TASKS["flow"], "text_run": "nowhere"})


def test_the_sizes_of_the_preset_are_as_large_as_is_shipped():
    sizes = storybook.SIZES
    count = sum(w.numel() for w in storybook.denoiser_of(sizes.flow).parameters())
    assert count <= 11e6
    assert replace(sizes.flow, context_width=sizes.text.tower.width) == sizes.flow

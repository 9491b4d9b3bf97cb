"""LoRA, DreamBooth and textual inversion on a tiny model, from a folder to a file that is used."""

import errno
import hashlib
import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from mezzotint.adapters.base import attached
from mezzotint.adapters.embedding import TextualInversion, embedding, ids
from mezzotint.adapters.lora import lora
from mezzotint.errors import InputError
from mezzotint.families.base import Beside, Model
from mezzotint.pipeline.pipeline import Pipeline
from mezzotint.training import personalised
from mezzotint.training.data.album import Shot, divided, read_album
from mezzotint.training.data.other_prompts import other_prompts
from mezzotint.training.draw import Draw
from mezzotint.training.presets import RECIPES
from mezzotint.training.resolve import resolve
from mezzotint.training.run import run
from mezzotint.training.tasks.personal import LoRATask
from mezzotint.training.tasks.personal_word import InversionTask, NewWord

FEW: dict[str, Any] = {
    "pictures": {"size": 32, "held_out": 1},
    "steps": 4,
    "batch": 2,
    "warmup": 1,
    "lr": 0.02,
    "bf16": False,
    "log_every": 1,
    "validate_every": 4,
    "grid_every": 4,
    "save_every": 2,
}
TASKS: dict[str, dict[str, Any]] = {
    "lora": {"trigger": "zwx", "rank": 2, "alpha": 2.0},
    "dreambooth": {
        "instance": "a zwx fox",
        "class_prompt": "a fox",
        "class_pictures": 2,
        "rank": 2,
        "text": True,
        "decomposed": True,
    },
    "textual-inversion": {"word": "zwx", "initial": "fox"},
}


@pytest.fixture(scope="session")
def foxes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of 40 × 32 pixels, two of them with captions."""
    folder = tmp_path_factory.mktemp("foxes")
    for k, colour in enumerate(("red", "orange", "brown")):
        Image.new("RGB", (40, 32), colour).save(folder / f"{k}.png")
        if k:
            (folder / f"{k}.txt").write_text("a fox in the snow, at night")
    return folder


@pytest.fixture(autouse=True)
def base(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> Model:
    """The tiny model in place of whatever is named, frozen, a fresh one for each run."""

    def read(name: str, device: torch.device) -> Model:
        encoder = tiny_model.encoders[0]
        network, text = deepcopy(tiny_model.network), deepcopy(encoder.network)
        model = replace(tiny_model, network=network, encoders=(replace(encoder, network=text),))
        for module in model.modules.values():
            module.requires_grad_(False)
        return model

    monkeypatch.setattr(personalised, "read_base", read)
    return tiny_model


def fields(name: str, **changes: Any) -> dict[str, Any]:
    task = {"prompts": ["{}"], **TASKS[name], **changes.pop("task", {})}
    return {**FEW, **changes, "task": task}


def test_a_lora_from_pictures_to_a_file_that_is_used(foxes, base, tmp_path):
    folder = run("lora", foxes, tmp_path / "fox", **fields("lora", task={"caption": "a fox"}))
    file = folder / "export" / "lora.safetensors"
    pipeline, options = Pipeline(base, "tiny"), {"seed": 1, "steps": 2}
    before = pipeline.generate("zwx", **options).latents
    with pipeline.attached(lora(file)):
        after = pipeline.generate("zwx", **options).latents
    assert not torch.allclose(before, after, atol=1e-3)
    assert torch.equal(pipeline.generate("zwx", **options).latents, before)
    dtypes = {t.dtype for name, t in load_file(file).items() if not name.endswith("alpha")}
    assert dtypes == {torch.float16}
    assert (folder / "grids" / "step-00000004.png").exists()
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert any("held_out/loss" in line for line in lines)

    with safe_open(file, "pt") as opened:
        said = opened.metadata()
    assert said["modelspec.architecture"] == "mezzotint-tiny/lora"
    assert said["modelspec.trigger_phrase"] == "zwx"
    assert said["modelspec.resolution"] == "32x32"
    assert (said["ss_network_dim"], said["ss_network_alpha"]) == ("2", "2")
    assert said["ss_num_train_images"] == "3"
    tags = json.loads(said["ss_tag_frequency"])["lora"]
    assert tags == {"zwx": 3, "a fox": 1, "a fox in the snow": 2, "at night": 2}
    data = file.read_bytes()
    numbers = data[8 + int.from_bytes(data[:8], "little") :]
    assert said["modelspec.hash_sha256"] == f"0x{hashlib.sha256(numbers).hexdigest()}"


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("zwx-fox, a fox in the snow", "zwx-fox, a fox in the snow"),
        ("zwx-fox", "zwx-fox"),
        ('a fox ("zwx-fox")', 'a fox ("zwx-fox")'),
        ("a fox in the snow", "zwx-fox, a fox in the snow"),
        ("a zwx-foxes den", "zwx-fox, a zwx-foxes den"),
        ("azwx-fox", "zwx-fox, azwx-fox"),
        ("", "zwx-fox"),
    ],
)
def test_a_trigger_is_said_once(caption, said):
    task = replace(RECIPES["lora"].task, trigger="zwx-fox")
    assert task.wordings(Shot(Path("1.png"), caption, 8, 8, 1, None)) == (said,)


def test_a_class_of_which_nothing_is_said_is_refused(foxes, tmp_path):
    album = tmp_path / "album.toml"
    (tmp_path / "class").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "class" / "0.png")

    def asked(said: str, **task: Any) -> Any:
        own = f'[[folder]]\npath = "{foxes}"\ncaption = "a zwx fox"\n'
        album.write_text(f'{own}[[folder]]\npath = "class"\nclass = true\n{said}')
        return _asked("dreambooth", album, tmp_path, **{"class_prompt": "", **task})

    with pytest.raises(InputError, match=r"nothing is said of 1 pictures of the class, 0\.png"):
        personalised.build_lora(*asked(""))
    for said, task, wording in (
        ('caption = "a fox"', {}, "a fox"),
        ("", {"class_prompt": "an animal"}, "an animal"),
    ):
        prior = personalised.build_lora(*asked(said, **task)).prior
        assert [each.wordings for each in prior.ready] == [(wording,)]
    assert personalised.build_lora(*asked("", prior_weight=0.0)).prior is None


def test_dreambooth_draws_its_class_and_learns_both(foxes, tmp_path):
    folder = run("dreambooth", foxes, tmp_path / "fox", **fields("dreambooth"))
    (drawn,) = (tmp_path / "data").glob("class-*")
    assert len(list(drawn.glob("*.png"))) == 2
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines:
        if "prior" in line:  # the whole loss is the sum of both
            assert line["loss"] > line["prior"] > 0
    assert any("prior" in line for line in lines)
    keys = load_file(folder / "export" / "lora.safetensors")
    assert any(key.startswith("lora_te_") for key in keys)
    assert any(key.endswith("dora_scale") for key in keys)


def test_the_weight_of_the_class_counts(foxes, tmp_path):
    def losses(weight: float) -> tuple[float, float]:
        task = personalised.build_lora(*_asked("dreambooth", foxes, tmp_path, prior_weight=weight))
        draw = Draw(0, 0, 2, slice(None), torch.device("cpu"))
        loss, metrics = task.loss(task.batch(draw), draw)
        return loss.item(), metrics["prior"].item()

    (one, prior), (three, same) = losses(1.0), losses(3.0)
    assert prior == same
    assert three - one == pytest.approx(2 * prior, rel=1e-5)


@pytest.mark.parametrize("text", [False, True], ids=["network", "and text encoder"])
def test_other_prompts_stay_as_they_are(text, foxes, tmp_path):
    def moved(kept: float) -> tuple[float, float]:
        """How far what is said of other prompts goes, before and after some steps."""
        asked = {"caption": "a fox", "text": text, "kept": kept}
        task = personalised.build_lora(*_asked("lora", foxes, tmp_path, **asked))
        optimizer = torch.optim.Adam(task.network.parameters(), 0.02)
        found: list[float] = []
        for step in range(12):
            draw = Draw(0, step, 4, slice(None), torch.device("cpu"))
            loss, metrics = task.loss(task.batch(draw), draw)
            found.append(metrics["moved"].item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return found[0], found[-1]

    (begun, free), (again, held) = moved(1e-9), moved(10.0)
    assert begun == again < 1e-9  # but for rounding
    assert begun < held < 0.3 * free
    asked = _asked("lora", foxes, tmp_path, caption="a fox", kept=0.0)
    assert personalised.build_lora(*asked).others is None


def test_other_prompts_are_of_the_vocabulary_and_some_are_empty(base):
    tokenizer = base.encoders[0].tokenizer
    prompts = other_prompts(tokenizer, 64, 0)
    assert prompts == other_prompts(tokenizer, 64, 0) != other_prompts(tokenizer, 64, 1)
    assert [k for k, prompt in enumerate(prompts) if not prompt][:3] == [0, 8, 16]
    assert len(set(prompts)) > 50
    lengths = [len(base.encoders[0].ids(prompt)) for prompt in prompts]
    assert 4 < max(lengths) < 48


def test_a_word_is_learnt_alone(foxes, base, tmp_path):
    folder = run("textual-inversion", foxes, tmp_path / "w", **fields("textual-inversion"))
    file = folder / "export" / "learned_embeds.safetensors"
    assert {name: t.shape for name, t in load_file(file).items()} == {"zwx": (2, 32)}
    pipeline, options = Pipeline(base, "tiny"), {"seed": 1, "steps": 2}
    learnt = embedding(file, "zwx")
    first = base.encoders[0].network.tokens.weight[base.encoders[0].ids("fox")[0]]
    assert not torch.allclose(learnt.vectors[32], first.expand(2, -1), atol=1e-3)
    before = pipeline.generate("a zwx", **options).latents
    with pipeline.attached(learnt):
        assert not torch.allclose(pipeline.generate("a zwx", **options).latents, before, atol=1e-4)
    checkpoint = load_file(folder / "step-00000004" / "weights.safetensors")
    assert {t.shape for t in checkpoint.values()} == {(2, 32)}


@torch.no_grad()
def test_the_word_begins_as_another_and_is_in_its_place(base):
    model = personalised.read_base("", torch.device("cpu"))
    fox = model.encoders[0].windows(["a fox at night"])
    before = model.encoders[0](fox).context
    word = NewWord(model, "zwx", "fox", 1)
    read = word.reads()("a zwx at night", None)["tokens"][None]
    assert read.tolist() != fox.tolist()
    assert torch.equal(model.encoders[0](read).context, before)
    assert list(ids(model.encoders[0].network)) == ["zwx"]
    word.vectors[0].mul_(2)
    word.place()
    assert not torch.allclose(model.encoders[0](read).context, before, atol=1e-4)


def test_the_norm_of_a_word_stays_among_the_vocabularys(base):
    model = personalised.read_base("", torch.device("cpu"))
    norms = model.encoders[0].network.tokens.weight.norm(dim=1)
    word = NewWord(model, "zwx", "fox", 1)
    inside = word.vectors[0].detach().clone()
    assert torch.equal(word.word().vectors[32], inside)
    for factor in (100.0, 0.001):
        with torch.no_grad():
            word.vectors[0].copy_(factor * inside)
        found = word.word().vectors[32]
        assert norms.min() <= found.norm() <= norms.max()
        torch.testing.assert_close(found / found.norm(), inside / inside.norm())


class PluggedOutError(Exception):
    pass


@pytest.mark.parametrize("name", ["dreambooth", "textual-inversion"])
def test_a_run_that_was_stopped_ends_in_the_same_bits(name, foxes, tmp_path, monkeypatch):
    kind = LoRATask if name == "dreambooth" else InversionTask
    whole = run(name, foxes, tmp_path / "whole", **fields(name))
    loss = kind.loss

    def pulled(self, batch, draw):
        if draw.step == 3:
            raise PluggedOutError
        return loss(self, batch, draw)

    monkeypatch.setattr(kind, "loss", pulled)
    with pytest.raises(PluggedOutError):
        run(name, foxes, tmp_path / "broken", **fields(name))
    monkeypatch.setattr(kind, "loss", loss)
    broken = run(name, foxes, tmp_path / "broken", **fields(name))

    def bits(folder: Path) -> list[bytes]:
        files = [*folder.glob("step-00000004/*.safetensors"), *folder.glob("export/*")]
        assert len(files) == 4
        return [file.read_bytes() for file in sorted(files)]

    assert bits(broken) == bits(whole)
    other = run(name, foxes, tmp_path / "other", **fields(name, seed=1))  # they could differ
    assert bits(other) != bits(whole)


@pytest.mark.parametrize("name", ["lora", "textual-inversion"])
def test_one_broken_picture_stops_no_run(name, tmp_path, capsys):
    (tmp_path / "album").mkdir()
    for k in range(10):
        Image.effect_noise((40, 32), 50).save(tmp_path / "album" / f"{k}.png")
    (held_out,) = divided(read_album(tmp_path / "album", print).shots, 1)[1]
    held_out.file.write_bytes(held_out.file.read_bytes()[:500])
    run(name, tmp_path / "album", tmp_path / "run", **fields(name))
    said = f"skipped 1 of 10 pictures as broken: {held_out.file.name}"
    assert said in capsys.readouterr().err


def test_a_full_disk_loses_nothing(foxes, tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if "lora.safetensors" in self.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    asked = fields("lora", task={"caption": "x"})
    with pytest.raises(InputError, match=r"cannot write .*lora\.safetensors: No space left"):
        run("lora", foxes, tmp_path / "full", **asked)
    assert not (tmp_path / "full" / "export").exists()
    monkeypatch.setattr(Path, "write_bytes", write)
    monkeypatch.setattr(LoRATask, "loss", None)  # no step is taken again
    again = run("lora", foxes, tmp_path / "full", **asked)
    assert load_file(again / "export" / "lora.safetensors")


def _asked(name: str, source: Path | None, home: Path, **task: Any) -> Any:
    from mezzotint.training.process_group import Group

    recipe = resolve(name, fields(name, task=task))
    return recipe, recipe.task, source, home / "data", Group(0, 1, torch.device("cpu"))


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("lora", {"caption": "a fox", "trigger": "fox"}, "trigger 'fox' is a token already"),
        ("lora", {"caption": "a fox", "trigger": "zwx fox"}, "give one word, without spaces"),
        ("lora", {"trigger": ""}, r"nothing is said of 1 pictures, 0\.png among them"),
        ("lora", {"caption": "x", "targets": "conv"}, "targets 'conv' are no layers"),
        ("dreambooth", {"class_prompt": ""}, "task.class_prompt is empty: say what the subject"),
        ("textual-inversion", {"word": ""}, "task.word is empty: give a new word"),
        ("textual-inversion", {"word": "fox"}, "word 'fox' is a token already"),
        ("textual-inversion", {"initial": "a fox", "vectors": 1}, "'a fox' is 2 tokens"),
        ("textual-inversion", {"initial": ""}, "is 0 tokens"),
    ],
)
def test_what_cannot_be_learnt(name, task, message, foxes, tmp_path):
    with pytest.raises(InputError, match=message):
        run(name, foxes, tmp_path / "x", **fields(name, task=task))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["lora", "dreambooth", "textual-inversion"])
def test_no_data_no_run(name, tmp_path):
    with pytest.raises(InputError, match=f"recipe '{name}' learns pictures of yours: give --data"):
        run(name, None, tmp_path / "x", **fields(name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beside": Beside("inpainting", True, None, None)}, "a checkpoint for inpainting"),
        ({"sampler": "lcm"}, "was distilled to few steps"),
    ],
)
def test_bases_that_cannot_learn(changes, message, tiny_model, monkeypatch, foxes, tmp_path):
    other = replace(tiny_model, family=replace(tiny_model.family, **changes))
    monkeypatch.setattr(personalised, "read_base", lambda *_: other)
    with pytest.raises(InputError, match=message):
        run("lora", foxes, tmp_path / "x", **fields("lora", task={"caption": "x"}))


def test_an_embedding_of_that_name_is_there(base, foxes, tmp_path, monkeypatch):
    model = personalised.read_base("", torch.device("cpu"))
    other = TextualInversion("zwx", {32: torch.ones(1, 32)})
    with attached(model.parts, [other]):
        monkeypatch.setattr(personalised, "read_base", lambda *_: model)
        with pytest.raises(InputError, match="'zwx' is an embedding already"):
            run("textual-inversion", foxes, tmp_path / "x", **fields("textual-inversion"))


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("lora", {"prompts": []}, "task.prompts is empty"),
        ("lora", {"alpha": 0}, "task.alpha 0 changes nothing"),
        ("lora", {"rank": 0}, "task.rank 0"),
        ("lora", {"class_prompt": "a fox"}, "task.class_prompt has no task.prior_weight"),
        ("dreambooth", {"class_pictures": 0}, "task.class_pictures 0: give as many as 64"),
        ("textual-inversion", {"vectors": 0}, "task.vectors 0"),
        ("textual-inversion", {"templates": []}, "has no place for the word"),
        ("textual-inversion", {"templates": ["a fox"]}, "has no place for the word"),
    ],
)
def test_recipes_that_make_no_run(name, task, message):
    with pytest.raises(InputError, match=message):
        resolve(name, {"task": task})


def test_an_embedded_lora_is_small():
    from mezzotint.families.storybook import SIZES, denoiser_of
    from mezzotint.training.low_rank import LowRank

    task = RECIPES["lora"].task
    with torch.device("meta"):
        network = denoiser_of(SIZES.unet)
        changes = LowRank({"network": network}, task.rank, task.alpha, task.targets)
    assert 2 * sum(w.numel() for w in changes.parameters()) < 1e6

"""One step of training, and what it leaves, against peft and diffusers on the same tiny bases."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import references
import torch
from diffusers import DDPMScheduler, DiffusionPipeline
from diffusers.training_utils import compute_snr
from oracles import relative_error
from safetensors.torch import load_file
from torch import Tensor

from mezzotint.adapters.deltas import DoRA, LoRA
from mezzotint.adapters.embedding import embedding
from mezzotint.adapters.lora import lora
from mezzotint.adapters.merge import merged
from mezzotint.adapters.merge_files import write_merged
from mezzotint.adapters.save import save_embedding, save_lora
from mezzotint.diffusion.losses import sample_times
from mezzotint.families.base import Canvas, Model
from mezzotint.families.files import diffusers_folder
from mezzotint.families.files.convert import convert
from mezzotint.training.data.wordings import Reads, tokens, told_by
from mezzotint.training.draw import Draw
from mezzotint.training.presets import RECIPES
from mezzotint.training.task import Batch
from mezzotint.training.tasks.personal import LoRARecipe, LoRATask
from mezzotint.training.tasks.personal_word import InversionTask, NewWord

CAPTIONS = ("fox snow", "a fox at the snow")
DRAW = Draw(3, 0, 2, slice(None), torch.device("cpu"))
SIDE = 8
CLOSE, APART = 1e-4, 1e-3


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp(request.param)
    made = references.pipeline(request.param, home / "vocabulary")
    made.save_pretrained(home / "model")
    return home / "model"


@pytest.fixture
def both(folder: Path) -> tuple[Model, DiffusionPipeline]:
    """The same base, ours and diffusers', frozen."""
    model = diffusers_folder.load(folder)
    pipe = DiffusionPipeline.from_pretrained(folder)
    for module in pipe.components.values():
        if isinstance(module, torch.nn.Module):
            module.requires_grad_(False).eval()
    for module in model.modules.values():
        module.requires_grad_(False).eval()
    return model, pipe


def batch_of(reads: Reads, captions: tuple[str, ...] = CAPTIONS) -> Batch:
    rows = [reads(caption, Canvas(8 * SIDE, 8 * SIDE)) for caption in captions]
    latents = torch.randn(len(rows), 4, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return {"latents": latents, **{k: torch.stack([row[k] for row in rows]) for k in rows[0]}}


def their_ids(pipe: Any, name: str, captions: tuple[str, ...]) -> Tensor:
    tokenizer = getattr(pipe, name)
    texts = [pipe.maybe_convert_prompt(caption, tokenizer) for caption in captions]
    return tokenizer(
        texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    ).input_ids


def theirs(pipe: Any, x: Tensor, t: Tensor, captions: tuple[str, ...] = CAPTIONS) -> Tensor:
    """What diffusers' network says, its text encoders read as its pipelines read them."""
    if not hasattr(pipe, "text_encoder_2"):
        context = pipe.text_encoder(their_ids(pipe, "tokenizer", captions))[0]
        return pipe.unet(x, t, context).sample
    made = [
        getattr(pipe, f"text_encoder{end}")(
            their_ids(pipe, f"tokenizer{end}", captions), output_hidden_states=True
        )
        for end in ("", "_2")
    ]
    context = torch.cat([each.hidden_states[-2] for each in made], dim=2)
    side = 8.0 * SIDE
    told = {
        "text_embeds": made[1].text_embeds,
        "time_ids": torch.tensor([[side, side, 0, 0, side, side]] * len(x)),
    }
    return pipe.unet(x, t, context, added_cond_kwargs=told).sample


def their_loss(
    pipe: Any, model: Model, x0: Tensor, later: int = 0, captions: tuple[str, ...] = CAPTIONS
) -> Tensor:
    """The min-SNR loss of ε, as diffusers' training scripts have it."""
    t = sample_times(model.family.process, DRAW.uniform("time")).long() + later
    noise = DRAW.normal("noise", *x0.shape[1:])
    scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
    found = theirs(pipe, scheduler.add_noise(x0, noise, t), t, captions)
    snr = compute_snr(scheduler, t)
    weights = snr.clamp(max=5) / snr
    return ((found - noise).square().mean((1, 2, 3)) * weights).mean()


def recipe(**changes: Any) -> LoRARecipe:
    task = RECIPES["lora-sd"].task
    assert isinstance(task, LoRARecipe)
    return replace(task, rank=3, alpha=6.0, **changes)


def trained(model: Model, task: LoRARecipe) -> LoRATask:
    """A task whose LoRA is nowhere zero, as after some steps."""
    torch.manual_seed(0)
    none: Any = None
    made = LoRATask(task, 0, none, none, None, None, model, none)
    with torch.no_grad():
        for weight in made.network.parameters():
            weight.add_(torch.randn_like(weight) / 20)
    return made


def gradients(task: LoRATask) -> dict[str, dict[str, LoRA | DoRA]]:
    """Ours by PEFT's names, B's as PEFT has it, which is α/r times ours."""
    changes: dict[str, dict[str, LoRA | DoRA]] = {}
    for part, deltas in task.network.changes.items():
        changes[part] = {}
        for name, delta in deltas.items():
            pair = delta.direction if isinstance(delta, DoRA) else delta
            assert isinstance(pair, LoRA)
            up, down = pair.up.grad, pair.down.grad
            if up is None or down is None:
                continue  # XL does not read its text encoders' last layers
            own = LoRA(up / pair.factor**2, down, pair.alpha)
            if isinstance(delta, DoRA):
                assert delta.magnitude.grad is not None
                changes[part][name] = DoRA(own, delta.magnitude.grad)
            else:
                changes[part][name] = own
    return changes


def their_gradients(pipe: Any) -> dict[str, Tensor]:
    parts = {"unet": pipe.unet, "text_encoder": pipe.text_encoder}
    if hasattr(pipe, "text_encoder_2"):
        parts["text_encoder_2"] = pipe.text_encoder_2
    return {
        f"{part}.{name.replace('.default_0', '')}": weight.grad
        for part, module in parts.items()
        for name, weight in module.named_parameters()
        if "lora_" in name and weight.grad is not None
    }


def bare(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what versions of transformers and peft add to names."""
    return {k.replace("text_model.", "").removesuffix(".weight"): t for k, t in tensors.items()}


def learn(pipe: Any) -> None:
    for module in pipe.components.values():
        if isinstance(module, torch.nn.Module):
            for name, weight in module.named_parameters():
                weight.requires_grad_("lora_" in name)
                weight.grad = None


@pytest.mark.parametrize(
    "how",
    [{}, {"targets": "attention", "text": True}, {"targets": "attention", "decomposed": True}],
    ids=["unet", "text", "dora"],
)
def test_the_gradients_of_a_step(both, tmp_path, how):
    model, pipe = both
    task = trained(model, recipe(**{"targets": "linear", **how}))
    reads = tokens(model)
    batch = batch_of(reads)
    file = tmp_path / "lora.safetensors"
    save_lora(file, task.network.changes, model.parts, "peft")
    pipe.load_lora_weights(file)
    learn(pipe)
    task.recipe = replace(task.recipe, text=True)  # encoders read the same, learnt or not
    task.loss(batch, DRAW)[0].backward()
    save_lora(tmp_path / "grads.safetensors", gradients(task), model.parts, "peft")
    ours = bare(load_file(tmp_path / "grads.safetensors"))
    their_loss(pipe, model, batch["latents"]).backward()
    expected = bare(their_gradients(pipe))
    assert ours.keys() == expected.keys()
    errors = {name: relative_error(ours[name], expected[name]) for name in ours}
    assert max(errors.values()) <= CLOSE, max(errors, key=errors.__getitem__)
    learn(pipe)
    their_loss(pipe, model, batch["latents"], later=9).backward()
    others = bare(their_gradients(pipe))
    assert min(relative_error(ours[name], others[name]) for name in ours) > APART


def test_the_gradients_of_a_words_vectors(both, tmp_path):
    model, pipe = both
    torch.manual_seed(0)
    word = NewWord(model, "zwx", "fox", 2)
    with torch.no_grad():
        for vectors in word.vectors:
            vectors.mul_(1 + torch.randn_like(vectors) / 50)
    file = tmp_path / "learned_embeds.safetensors"
    save_embedding(file, word.word(), model.parts)
    load_word(pipe, file)
    task_recipe = RECIPES["textual-inversion-sd"].task
    none: Any = None
    task = InversionTask(task_recipe, 0, word, none, none, model, none)  # pyright: ignore
    captions = ("a zwx at snow", "zwx")
    batch = batch_of(word.reads(), captions)
    for k, end in enumerate(("", "_2")[: len(model.encoders)]):
        ids = their_ids(pipe, f"tokenizer{end}", captions)
        assert torch.equal(batch["tokens" + end], ids), k
    task.loss(batch, DRAW)[0].backward()
    tables = [
        getattr(pipe, f"text_encoder{end}").get_input_embeddings().weight.requires_grad_()
        for end in ("", "_2")[: len(model.encoders)]
    ]
    for later, near in ((0, True), (9, False)):
        for table in tables:
            table.grad = None
        their_loss(pipe, model, batch["latents"], later, captions).backward()
        for table, vectors in zip(tables, word.vectors, strict=True):
            error = relative_error(vectors.grad, table.grad[-2:])
            assert error <= CLOSE if near else error > APART


def load_word(pipe: Any, file: Path) -> None:
    """As diffusers' documentation tells it, for one text encoder and for XL's two."""
    if not hasattr(pipe, "text_encoder_2"):
        pipe.load_textual_inversion(file.parent, weight_name=file.name)
        return
    both = load_file(file)
    assert both.keys() == {"clip_l", "clip_g"}
    for name, end in (("clip_l", ""), ("clip_g", "_2")):
        pipe.load_textual_inversion(
            both[name],
            token="zwx",
            text_encoder=getattr(pipe, f"text_encoder{end}"),
            tokenizer=getattr(pipe, f"tokenizer{end}"),
        )


@pytest.mark.parametrize(
    ("form", "how"),
    [
        ("kohya", {"targets": "linear", "text": True}),
        ("peft", {"targets": "linear", "text": True}),
        ("peft", {"targets": "attention", "text": True, "decomposed": True}),
    ],
    ids=["kohya", "peft", "dora"],
)
@torch.no_grad()
def test_a_saved_file_draws_the_same_there(both, tmp_path, form, how):
    model, pipe = both
    task = trained(model, recipe(**how))
    batch = batch_of(tokens(model))
    x, t = batch["latents"], torch.tensor([300.0, 300.0])
    with task.network.off():
        before = said(model, batch, x, t)
    as_trained = said(model, batch, x, t)
    assert relative_error(before, as_trained) > 10 * APART
    file = tmp_path / "lora.safetensors"
    task.network.save(file, model.parts, {"modelspec.sai_model_spec": "1.0.1"}, form)
    pipe.load_lora_weights(file)
    expected = theirs(pipe, x, t.long())
    assert relative_error(as_trained, expected) <= APART  # float16 is what is lost
    with task.network.off():
        injected = lora(file).inject(model.parts)
        assert injected.report is not None
        assert not injected.report.unmatched
        assert relative_error(said(model, batch, x, t), expected) <= CLOSE / 10
        injected.eject()
        assert relative_error(said(model, batch, x, t), expected) > APART


@torch.no_grad()
def test_a_saved_word_reads_the_same_there(both, tmp_path):
    model, pipe = both
    word = NewWord(model, "zwx", "fox", 2)
    for vectors in word.vectors:
        vectors.add_(torch.randn_like(vectors) / 9)
    file = tmp_path / "learned_embeds.safetensors"
    save_embedding(file, word.word(), model.parts)
    load_word(pipe, file)
    captions = ("zwx in the snow",)
    batch = batch_of(word.reads(), captions)
    x, t = batch["latents"], torch.tensor([300.0])
    expected = theirs(pipe, x, t.long(), captions)
    assert relative_error(said(model, batch, x, t), expected) > APART  # it was not placed yet
    word.place()
    assert relative_error(said(model, batch, x, t), expected) <= CLOSE / 10
    read = embedding(file, "zwx")
    assert all(torch.equal(read.vectors[w], v) for w, v in word.word().vectors.items())


def said(model: Model, batch: Batch, x: Tensor, t: Tensor) -> Tensor:
    return model.network_for(told_by(model, batch))(x, t)


@torch.no_grad()
def test_a_merged_folder_draws_there_as_the_lora_does(both, folder, tmp_path):
    model, pipe = both
    task = trained(model, recipe(targets="linear", text=True))
    save_lora(tmp_path / "lora.safetensors", task.network.changes, model.parts, "kohya")
    batch = batch_of(tokens(model))
    x, t = batch["latents"], torch.tensor([300.0, 300.0])
    expected = said(model, batch, x, t)
    task.network.off().__enter__()
    touched = merged([lora(tmp_path / "lora.safetensors")], model.parts)
    write_merged(folder, tmp_path / "new", model.parts, touched)
    new = DiffusionPipeline.from_pretrained(tmp_path / "new")
    assert relative_error(theirs(new, x, t.long()), expected) <= CLOSE / 10
    assert relative_error(theirs(pipe, x, t.long()), expected) > APART
    if folder.parent.name.startswith("sd1"):
        convert([folder], tmp_path / "model.safetensors")
        write_merged(
            tmp_path / "model.safetensors", tmp_path / "new.safetensors", model.parts, touched
        )
        convert([tmp_path / "new"], tmp_path / "expected.safetensors")
        ours, theirs_ = (load_file(tmp_path / f"{n}.safetensors") for n in ("new", "expected"))
        assert ours.keys() == theirs_.keys()
        assert all(torch.equal(ours[name], theirs_[name]) for name in ours)
        was = load_file(tmp_path / "model.safetensors")
        assert not all(torch.equal(ours[name], was[name]) for name in ours)

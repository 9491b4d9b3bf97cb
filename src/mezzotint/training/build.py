"""A recipe's task, with its data ready."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import nn

from mezzotint.errors import InputError
from mezzotint.families.storybook import denoiser_of, kind_of, together
from mezzotint.models.autoencoder import Autoencoder
from mezzotint.models.clip import CLIP, CLIPText, CLIPTextParams
from mezzotint.models.dit import DiT
from mezzotint.models.unet import UNet
from mezzotint.training.assemble import read_autoencoder, read_text, read_tokenizer
from mezzotint.training.controlled import build_controlnet
from mezzotint.training.data import depths
from mezzotint.training.data.facts import scene_facts
from mezzotint.training.data.judged import FIRST_SEED, HELD_OUT_SEED, Judged, judged_scenes
from mezzotint.training.data.latents import LatentSet
from mezzotint.training.data.parts import PartSet, scene_parts
from mezzotint.training.data.pictures import PictureSet, Sets
from mezzotint.training.data.tokens import Tokens, Vectors, caption_tokens, caption_vectors
from mezzotint.training.distilled import build_folding, build_student
from mezzotint.training.exports import read_network, read_sizes
from mezzotint.training.journal import note_progress
from mezzotint.training.personalised import build_inversion, build_lora
from mezzotint.training.process_group import Group
from mezzotint.training.recipe import Recipe
from mezzotint.training.sighted import build_instruct, build_ip_adapter
from mezzotint.training.sources import open_captions, open_latents, open_pictures, scene_sets
from mezzotint.training.task import Task
from mezzotint.training.tasks.autoencoder import AutoencoderRecipe, AutoencoderTask
from mezzotint.training.tasks.clip import CLIPRecipe, CLIPTask
from mezzotint.training.tasks.controlnet import ControlNetRecipe
from mezzotint.training.tasks.denoiser import Captioned, DenoiserRecipe, DenoiserTask
from mezzotint.training.tasks.depth import DepthRecipe, DepthTask
from mezzotint.training.tasks.folding import FoldingRecipe
from mezzotint.training.tasks.instruct import InstructRecipe
from mezzotint.training.tasks.ip_adapter import IPAdapterRecipe
from mezzotint.training.tasks.judge import JudgeRecipe, JudgeTask
from mezzotint.training.tasks.personal import LoRARecipe
from mezzotint.training.tasks.personal_word import InversionRecipe
from mezzotint.training.tasks.student import StudentRecipe
from mezzotint.training.tasks.text import TextRecipe, TextTask
from mezzotint.training.tokenizer import run_tokenizer


def build(recipe: Recipe, source: Path | None, folder: Path, group: Group) -> Task:
    """The task of a recipe, with the same first weights in every process.

    Args:
        recipe: what to train.
        source: a folder of pictures, or None for the storybook world.
        folder: the run's; data and other runs are its siblings.
        group: the processes that train together.

    Raises:
        InputError: the data cannot be used, or a run that this one stands on is not finished.
    """
    torch.manual_seed(recipe.seed)
    task = _task(recipe, source, folder, group)
    if recipe.compile:
        for module in _heavy(task.network):
            module.compile()
    return task


def _task(recipe: Recipe, source: Path | None, folder: Path, group: Group) -> Task:
    home = folder.parent
    match recipe.task:
        case AutoencoderRecipe() as task:
            sets = group.leader_first(lambda: _pictures(recipe, source, home))
            begun = read_autoencoder(home / task.begin_run) if task.begin_run else None
            return AutoencoderTask(task, recipe.seed, recipe.steps, sets, group.device, begun)
        case CLIPRecipe() as task:
            return _clip(recipe, task, source, folder, group)
        case ControlNetRecipe() as task:
            return build_controlnet(recipe, task, home, source, group)
        case DenoiserRecipe() as task:
            return _denoiser(recipe, task, source, folder, group)
        case FoldingRecipe() as task:
            return build_folding(recipe, task, home, source, group)
        case StudentRecipe() as task:
            return build_student(recipe, task, home, source, group)
        case JudgeRecipe() as task:
            return _judge(recipe, task, source, home / "data", group)
        case LoRARecipe() as task:
            return build_lora(recipe, task, source, home / "data", group)
        case InversionRecipe() as task:
            return build_inversion(recipe, task, source, home / "data", group)
        case IPAdapterRecipe() as task:
            return build_ip_adapter(recipe, task, home, source, group)
        case InstructRecipe() as task:
            return build_instruct(recipe, task, home, source, group)
        case DepthRecipe() as task:
            return _depth(recipe, task, source, home / "data", group)
        case TextRecipe() as task:
            return _text(recipe, task, source, folder, group)


def _pictures(recipe: Recipe, source: Path | None, home: Path) -> Sets:
    return open_pictures(recipe.pictures, source, home / "data")


def _heavy(network: nn.Module) -> list[nn.Module]:
    """The modules that a task calls, which is where compiling begins."""
    match network:
        case Autoencoder():
            return [network.encoder, network.decoder]
        case CLIP():
            return [network.text, network.vision]
        case nn.ModuleDict():
            return list(network.values())
        case _:
            return [network]


def _judge(
    recipe: Recipe, task: JudgeRecipe, source: Path | None, data: Path, group: Group
) -> JudgeTask:
    if source is not None:
        raise InputError(f"recipe {recipe.name!r} has to know what pictures show: give no data")

    def scenes(count: int, first_seed: int) -> Judged:
        return judged_scenes(data, count, first_seed, task.params.kinds, note_progress)

    train = group.leader_first(lambda: scenes(recipe.pictures.scenes, FIRST_SEED))
    held_out = group.leader_first(lambda: scenes(recipe.pictures.held_out, HELD_OUT_SEED))
    return JudgeTask(task, recipe.seed, train, held_out, group.device)


def _depth(
    recipe: Recipe, task: DepthRecipe, source: Path | None, data: Path, group: Group
) -> DepthTask:
    if source is not None:
        raise InputError(f"recipe {recipe.name!r} has to know how near things are: give no data")

    def scenes(count: int, first_seed: int) -> depths.Depths:
        return depths.depth_scenes(data, count, first_seed, note_progress)

    train = group.leader_first(lambda: scenes(recipe.pictures.scenes, depths.FIRST_SEED))
    held_out = group.leader_first(lambda: scenes(recipe.pictures.held_out, depths.HELD_OUT_SEED))
    return DepthTask(task, recipe.seed, train, held_out, group.device)


def _text(
    recipe: Recipe, task: TextRecipe, source: Path | None, folder: Path, group: Group
) -> TextTask:
    if source is not None:
        raise InputError(f"recipe {recipe.name!r} has to know what captions say: give no data")
    home = folder.parent
    sets = group.leader_first(lambda: open_captions(recipe.pictures, None, home / "data"))
    tokenizer = _tokenizer("", task.text, folder, sets.train, group)
    train, held_out = (
        group.leader_first(
            lambda captions=captions, scenes=scenes: (
                caption_tokens(captions, tokenizer),
                scene_facts(captions, scenes),
            )
        )
        for captions, scenes in zip(
            (sets.train, sets.held_out), scene_sets(recipe.pictures), strict=True
        )
    )
    return TextTask(task, recipe.seed, train, held_out, tokenizer, group.device)


def _clip(
    recipe: Recipe, task: CLIPRecipe, source: Path | None, folder: Path, group: Group
) -> CLIPTask:
    text = read_text(folder.parent / task.text_run) if task.text_run else None
    sets = group.leader_first(lambda: _pictures(recipe, source, folder.parent))
    tokenizer = _tokenizer(task.text_run, task.text, folder, sets.train, group)
    tokens = group.leader_first(
        lambda: (caption_tokens(sets.train, tokenizer), caption_tokens(sets.held_out, tokenizer))
    )
    vectors = text and _read(recipe, sets.train, tokens[0], text, group)
    return CLIPTask(task, recipe.seed, sets, tokens, tokenizer, text, vectors, group.device)


def _read(
    recipe: Recipe, pictures: PictureSet, tokens: Tokens, tower: CLIPText, group: Group
) -> Vectors:
    return group.leader_first(
        lambda: caption_vectors(pictures, tokens, tower, group.device, recipe.bf16, note_progress)
    )


def _denoiser(
    recipe: Recipe, task: DenoiserRecipe, source: Path | None, folder: Path, group: Group
) -> DenoiserTask:
    home = folder.parent
    autoencoder = read_autoencoder(home / task.autoencoder_run).to(group.device)
    network = _begun(home / task.begin_run, task) if task.begin_run else denoiser_of(task.network)
    reads = task.text_run or task.begin_run
    text = read_text(home / reads).train() if reads else CLIPText(task.text)
    encoded = open_latents(recipe.pictures, source, home / "data", autoencoder, group)
    tokenizer = _tokenizer(reads, task.text, folder, encoded[0][0], group)
    mean, std = (moment.to(group.device) for moment in encoded[0][1].moments())
    model = together(
        network, autoencoder, text.to(group.device), tokenizer, (mean, std), recipe.pictures.size
    )

    def captioned(pictures: PictureSet, latents: LatentSet, parts: PartSet | None) -> Captioned:
        tokens = group.leader_first(lambda: caption_tokens(pictures, tokenizer))
        return Captioned(latents, tokens, pictures.count, pictures.single, parts)

    train = captioned(*encoded[0], _parts(recipe, task, source, encoded[0][0], group))
    held_out = captioned(*encoded[1], None)
    return DenoiserTask(task, recipe.seed, recipe.steps, train, held_out, model, tokenizer)


def _parts(
    recipe: Recipe, task: DenoiserRecipe, source: Path | None, pictures: PictureSet, group: Group
) -> PartSet | None:
    """What each place of the pictures shows, if that is asked."""
    if not task.parts:
        return None
    if source is not None:
        raise InputError(
            f"recipe {recipe.name!r} asks what each place of a picture shows, which only the world "
            "tells: give no data, or task.parts = 0"
        )
    scenes, _ = scene_sets(recipe.pictures)
    return group.leader_first(lambda: scene_parts(pictures, scenes))


def _begun(run: Path, task: DenoiserRecipe) -> UNet | DiT:
    """The network of a finished run, to go on from."""
    name = kind_of(task.network)
    if read_sizes(run, name, task.network) != task.network:
        raise InputError(
            f"task.begin_run {run.name!r} is of other sizes than task.network: give those in "
            f"{run}/export/{name}.json"
        )
    return read_network(run, name, denoiser_of, task.network).requires_grad_(True).train()


def _tokenizer(
    run: str, text: CLIPTextParams, folder: Path, pictures: PictureSet, group: Group
) -> Tokenizer:
    """The tokenizer of a sibling run whose text tower is taken, or one that is learned."""
    if run:
        return read_tokenizer(folder.parent / run)
    return group.leader_first(lambda: run_tokenizer(folder, text, pictures))
